/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random trees of calls, and what they were, by this program's own account in a
 * file that stays mapped: it is whole when the program is killed.
 *
 *   trees FILE SEED THREADS CALLS DEEPEST KILL_AT PROCESSES PAUSE
 *
 * Each thread makes CALLS calls of HANDLERS functions. A tree now and then goes
 * straight down to DEEPEST. KILL_AT: in that call of the first thread SIGKILL
 * (0: never). With more PROCESSES each forked child does the same with a seed
 * of its own. PAUSE: a quarter of the first thread's calls are made between two
 * lines that it writes, each answered by one, and in an account of their own.
 * See referee.py.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    HANDLERS = 6,
    THREADS = 8,
    PROCESSES = 4,
    STACK = 8 << 20,
};

struct account { /* of a thread; referee.py has the same */
    uint64_t begun[HANDLERS], ended[HANDLERS], failed[HANDLERS];
    uint64_t inside_ns[HANDLERS]; /* of outermost activations that ended */
    uint64_t cpu_ns[HANDLERS];    /* the same */
    uint64_t around_ns;           /* measured around the outermost calls */
    uint64_t below[HANDLERS + 1][HANDLERS]; /* calls by caller; last: none */
};
struct truth {
    struct account thread[PROCESSES][THREADS], unseen;
};
struct state {
    struct account *account;
    uint64_t random;
    long left, kill_at, deepest;
    int active[HANDLERS], caller;
};

static struct truth *truth;
static long arg[9];
static int process;

static uint64_t now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t next(struct state *s)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return s->random;
}

static int call(struct state *s, long depth, long dive);

static int body(struct state *s, int self, long depth, long dive)
{
    struct account *a = s->account;
    uint64_t cpu = s->active[self] ? 0 : now(CLOCK_THREAD_CPUTIME_ID);
    uint64_t from = now(CLOCK_MONOTONIC);
    int caller = s->caller;
    a->begun[self]++;
    a->below[caller][self]++;
    s->caller = self;
    s->active[self]++;
    if (s->kill_at && --s->kill_at == 0)
        kill(getpid(), SIGKILL);
    int result = next(s) % 16 == 0 ? -1 : 0;
    if (dive > 0) {
        call(s, depth + 1, dive - 1);
    } else {
        uint64_t children = depth < 12 ? next(s) % 4 : 0;
        for (uint64_t i = 0; i < children && s->left > 0; i++)
            call(s, depth + 1, 0);
    }
    for (uint64_t spin = next(s) % 64; spin > 0; spin--)
        __asm__ volatile("");
    s->caller = caller;
    s->active[self]--;
    a->ended[self]++;
    a->failed[self] += result < 0;
    if (!s->active[self]) {
        a->inside_ns[self] += now(CLOCK_MONOTONIC) - from;
        a->cpu_ns[self] += now(CLOCK_THREAD_CPUTIME_ID) - cpu;
    }
    return result;
}

#define HANDLER(n)                                                             \
    __attribute__((noinline, noclone)) int handler_##n(struct state *s,        \
                                                       long depth, long dive)  \
    {                                                                          \
        int result = body(s, n, depth, dive);                                  \
        __asm__ volatile("" : "+r"(result));                                   \
        return result;                                                         \
    }
HANDLER(0)
HANDLER(1)
HANDLER(2) HANDLER(3) HANDLER(4) HANDLER(5)

    static int call(struct state *s, long depth, long dive)
{
    static int (*const handler[])(struct state *, long, long) = {
        handler_0, handler_1, handler_2, handler_3, handler_4, handler_5};
    s->left--;
    return handler[next(s) % HANDLERS](s, depth, dive);
}

static void ask(void)
{
    puts("next");
    fflush(stdout);
    if (getchar() == EOF)
        exit(4);
}

/* Recording is off for some calls, outermost ones and all below them. */
static void pause_for(struct state *s, long calls)
{
    struct account *account = s->account;
    long until = s->left > calls ? s->left - calls : 0;
    ask();
    s->account = &truth->unseen;
    while (s->left > until)
        call(s, 0, 0);
    ask();
    s->account = account;
}

static void *work(void *number)
{
    int thread = (int)(intptr_t)number;
    struct state s = {.account = &truth->thread[process][thread],
                      .random = (uint64_t)arg[1] * 1000003 +
                                (uint64_t)thread * 7919 +
                                (uint64_t)process * 104729 + 88172645463325252,
                      .left = arg[3],
                      .kill_at = thread == 0 && process == 0 ? arg[5] : 0,
                      .deepest = arg[4],
                      .caller = HANDLERS};
    bool is_paused = arg[7] == 0 || thread != 0 || process != 0;
    while (s.left > 0) {
        uint64_t from = now(CLOCK_MONOTONIC);
        call(&s, 0, next(&s) % 8 == 0 ? s.deepest : 0);
        s.account->around_ns += now(CLOCK_MONOTONIC) - from;
        if (!is_paused && s.left < arg[3] / 2) {
            is_paused = true;
            pause_for(&s, arg[3] / 4);
        }
    }
    return NULL;
}

static void run_threads(void)
{
    pthread_t thread[THREADS];
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    for (int i = 1; i < arg[2]; i++)
        if (pthread_create(&thread[i], &attr, work, (void *)(intptr_t)i) != 0)
            exit(3);
    work(NULL);
    for (int i = 1; i < arg[2]; i++)
        pthread_join(thread[i], NULL);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc && i < 9; i++)
        arg[i - 1] = i == 1 ? 0 : atol(argv[i]);
    int fd = argc == 9 ? open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600) : -1;
    if (fd < 0 || ftruncate(fd, sizeof *truth) != 0 || arg[2] > THREADS ||
        arg[6] > PROCESSES)
        return 2;
    truth =
        mmap(NULL, sizeof *truth, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (truth == MAP_FAILED)
        return 2;
    for (int i = 1; i < arg[6]; i++)
        if (fork() == 0) {
            process = i;
            run_threads();
            return 0;
        }
    run_threads();
    while (wait(NULL) > 0)
        ;
    return 0;
}
