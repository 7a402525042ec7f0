/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that fill their lanes without a pause, under signals whose handler
 * is traced as well, beside children that it forks.
 *
 * usage: stress_program THREADS CALLS CHILDREN TICK_US [FIRST]
 * Each thread makes CALLS calls: most without values, some with a short text,
 * some with up to 50,000 bytes. A signal comes every TICK_US (0: none). The
 * first thread makes FIRST calls before the others, and none after. Prints
 * what they returned together, which depends on the arguments alone; then how
 * often each handler was called.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    THREADS_MAX = 64,
    BLOCK_MAX = 50000,
    CHILD_CALLS = 300,
};

__attribute__((noinline)) long plain(long number);
__attribute__((noinline)) long text(long number, const char *said);
__attribute__((noinline)) long block(long number, const char *at, long len);
__attribute__((noinline)) long tick(long number);

long plain(long number)
{
    __asm__ volatile("" ::: "memory");
    return number * 3;
}

long text(long number, const char *said)
{
    __asm__ volatile("" ::"r"(said) : "memory");
    return number + (long)strlen(said);
}

long block(long number, const char *at, long len)
{
    __asm__ volatile("" ::"r"(at) : "memory");
    return number + at[len - 1];
}

static long ticks;

long tick(long number)
{
    __asm__ volatile("" ::: "memory");
    return number;
}

static void on_alarm(int signal_number)
{
    (void)signal_number;
    (void)tick(__atomic_fetch_add(&ticks, 1, __ATOMIC_RELAXED));
}

struct work {
    pthread_t thread;
    long first, calls, sum, plain, text, block;
};
static char bytes[BLOCK_MAX];

static void one_call(struct work *w, long i)
{
    long number = w->first + i;
    char said[48];
    switch (i % 16) {
    case 3:
    case 8:
    case 13:
        snprintf(said, sizeof said, "%0*ld", (int)(1 + number % 40), number);
        w->sum += text(number, said);
        w->text++;
        break;
    case 15:
        w->sum += block(number, bytes,
                        i % 256 == 255 ? BLOCK_MAX : 1 + number * 7 % 4000);
        w->block++;
        break;
    default:
        w->sum += plain(number);
        w->plain++;
    }
}

static void *run_thread(void *of)
{
    struct work *w = of;
    for (long i = 0; i < w->calls; i++)
        one_call(w, i);
    return NULL;
}

static int run_child(void)
{
    long sum = 0;
    for (long i = 0; i < CHILD_CALLS; i++)
        sum += plain(i);
    return sum != 3L * CHILD_CALLS * (CHILD_CALLS - 1) / 2;
}

static int run_children(long count)
{
    int bad = 0, status;
    for (long i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(run_child());
        while (waitpid(child, &status, 0) < 0)
            ;
        bad |= status;
    }
    return bad;
}

static int set_timer(long us)
{
    const struct itimerval timer = {{0, us}, {0, us}};
    return setitimer(ITIMER_REAL, &timer, NULL);
}

int main(int argc, char **argv)
{
    static struct work work[THREADS_MAX];
    long count = argc >= 5 ? atol(argv[1]) : 0;
    long calls = argc >= 5 ? atol(argv[2]) : 0;
    struct work all = {.calls = argc == 6 ? atol(argv[5]) : 0};
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    if (count < 1 || count > THREADS_MAX)
        return 2;
    long children = atol(argv[3]);
    memset(bytes, 'b', sizeof bytes);
    if (sigaction(SIGALRM, &action, NULL) != 0 || set_timer(atol(argv[4])) != 0)
        return 1;
    run_thread(&all);
    for (long i = 0; i < count; i++) {
        work[i].first = i * calls;
        work[i].calls = calls;
        if (pthread_create(&work[i].thread, NULL, run_thread, &work[i]) != 0)
            return 1;
    }
    if (run_children(children) != 0)
        return 1;
    all.plain += children * CHILD_CALLS;
    for (long i = 0; i < count; i++) {
        pthread_join(work[i].thread, NULL);
        all.sum += work[i].sum;
        all.plain += work[i].plain;
        all.text += work[i].text;
        all.block += work[i].block;
    }
    set_timer(0);
    printf("sum %ld\n", all.sum);
    printf("plain %ld text %ld block %ld tick %ld\n", all.plain, all.text,
           all.block, ticks);
    return 0;
}
