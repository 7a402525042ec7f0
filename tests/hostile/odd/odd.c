// SPDX-License-Identifier: Apache-2.0
/*
 *   odd                 the names of all ways
 *   odd NAME plain      one of them
 *   odd NAME below      the same, with calls of handlers open around it
 *   odd NAME beside     the same, beside a thread that calls handlers
 *   odd child [quiet]   what a program that was executed finds
 */
#include "odd.h"
#include <semaphore.h>

__attribute__((noinline)) int work(int n)
{
    __asm__ volatile("" : "+r"(n));
    return n + 1;
}

__attribute__((noinline)) int look(const char *text)
{
    __asm__ volatile("" : "+r"(text));
    return text != NULL;
}

__attribute__((noinline)) double mean(double x)
{
    __asm__ volatile("" : "+x"(x));
    return x / 2;
}

__attribute__((noinline)) int deep(int n)
{
    char room[200];
    __asm__ volatile("" : : "r"(room) : "memory");
    return n <= 0 ? 0 : 1 + deep(n - 1);
}

__attribute__((noinline)) int wide(int n, int (*fn)(int))
{
    int got = n <= 1 ? fn(n) : wide(n - 1, fn);
    __asm__ volatile("" : "+r"(got));
    return got;
}

int works(int count)
{
    int sum = 0;
    for (int i = 0; i < count; i++)
        sum += work(i);
    return sum;
}

int status_of(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

int on_stack(void *low, size_t bytes, void (*fn)(void))
{
    static ucontext_t back, there;
    getcontext(&there);
    there.uc_stack.ss_sp = low;
    there.uc_stack.ss_size = bytes;
    there.uc_link = &back;
    makecontext(&there, fn, 0);
    return swapcontext(&back, &there);
}

void handle(int number, void (*fn)(int), int flags)
{
    struct sigaction action = {.sa_handler = fn, .sa_flags = flags};
    sigaction(number, &action, NULL);
}

static int child(bool is_quiet)
{
    sigset_t mask;
    struct sigaction action;
    int by_default = 0, fds = 0;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int i = 1; i < 65; i++)
        by_default +=
            sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
    for (int i = 0; i < 100; i++)
        fds += fcntl(i, F_GETFD) >= 0;
    if (!is_quiet)
        printf("child %d %d %d mask %lx\n", by_default, works(50), fds,
               *(unsigned long *)&mask);
    fflush(stdout);
    return 5;
}

static const struct way *const all[] = {memory_ways,  signal_ways, thread_ways,
                                        process_ways, exec_ways,   filter_ways,
                                        machine_ways, stack_ways,  place_ways};
static const struct way *chosen;
static char **arguments;

static int run_chosen(int unused)
{
    (void)unused;
    int status = chosen->run(arguments);
    fflush(stdout);
    return status;
}

static sem_t begun;

static void *beside(void *unused)
{
    const struct timespec pause = {0, 20000};
    for (int i = 0;; i++) {
        work(i);
        look("beside");
        mean(i);
        if (i == 0)
            sem_post(&begun);
        syscall(SYS_nanosleep, &pause, NULL);
    }
    return unused;
}

/* It has called each once: a thread's first call has a descriptor for a moment,
 * which some ways would see. */
static bool start_beside(void)
{
    pthread_t thread;
    sigset_t full, was;
    if (sem_init(&begun, 0, 0) != 0)
        return false;
    sigfillset(&full);
    pthread_sigmask(SIG_SETMASK, &full, &was);
    int failed = pthread_create(&thread, NULL, beside, NULL);
    while (failed == 0 && sem_wait(&begun) != 0)
        ;
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    return failed == 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "child") == 0)
        return child(argc > 2);
    for (size_t k = 0; k < sizeof(all) / sizeof(*all); k++)
        for (const struct way *way = all[k]; way->name; way++) {
            if (argc < 2)
                puts(way->name);
            else if (strcmp(way->name, argv[1]) == 0)
                chosen = way;
        }
    if (!chosen || argc < 3)
        return argc < 2 ? 0 : 2;
    arguments = argv;
    if (strcmp(argv[2], "beside") == 0 && !start_beside())
        return CANNOT;
    return strcmp(argv[2], "below") == 0 ? wide(3, run_chosen) : run_chosen(0);
}
