// SPDX-License-Identifier: Apache-2.0
/* Signals, what their handlers do, and ends by them. */
#include "odd.h"
#include <dlfcn.h>
#include <sys/signalfd.h>
#include <sys/time.h>

static sigjmp_buf back;
static volatile int hits;

static void jump(int number)
{
    hits++;
    siglongjmp(back, number);
}

__attribute__((noinline)) static int fall(int n)
{
    if (work(n) > 0)
        *(volatile int *)(uintptr_t)(n & 15) = n;
    return n;
}

static int segv_jumps(char **argv)
{
    (void)argv;
    handle(SIGSEGV, jump, SA_NODEFER);
    for (volatile int i = 0; i < 1000; i++)
        if (sigsetjmp(back, 1) == 0)
            fall(i);
    printf("%d %d\n", hits, work(1));
    return 0;
}

/* ---- what a handler changes of what it interrupted ----------------------- */

static void skip(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    hits += work(0);
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 */
}

static int skips(char **argv)
{
    (void)argv;
    struct sigaction action = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO};
    sigaction(SIGILL, &action, NULL);
    for (int i = 0; i < 500; i++) {
        work(i);
        __asm__ volatile("ud2");
    }
    printf("%d\n", hits);
    return 0;
}

static void unprotect(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    mprotect((void *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1)), PAGE,
             PROT_READ | PROT_WRITE);
    hits += work(0);
}

__attribute__((noinline)) static int touch(char *p)
{
    *p = 7;
    return work(*p);
}

/* A write barrier: only the program's own touches are counted. */
static int barriers(char **argv)
{
    (void)argv;
    static char room[32768];
    const stack_t stack = {.ss_sp = room, .ss_size = sizeof(room)};
    struct sigaction action = {.sa_sigaction = unprotect,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};
    int got = 0;
    sigaltstack(&stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    char *at =
        mmap(NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 32; i++)
        got += touch(at + i * PAGE);
    for (int i = 32; i < 64; i++)
        got += look(at + i * PAGE);
    printf("%d %d\n", got, hits);
    return 0;
}

static void tick(int number)
{
    (void)number;
    hits++;
    work(hits);
}

static int timers(char **argv)
{
    (void)argv;
    struct itimerval timer = {{0, 100}, {0, 100}};
    handle(SIGALRM, tick, SA_RESTART);
    setitimer(ITIMER_REAL, &timer, NULL);
    long got = 0;
    for (int i = 0; i < 50000; i++)
        got += work(i);
    while (hits < 5)
        got += 0L * work(1);
    memset(&timer, 0, sizeof(timer));
    setitimer(ITIMER_REAL, &timer, NULL);
    printf("%ld %d\n", got, hits >= 5);
    return 0;
}

static int alternate_moves(char **argv)
{
    (void)argv;
    handle(SIGUSR1, tick, SA_ONSTACK);
    for (int i = 0; i < 50; i++) {
        size_t bytes = 16384 + (size_t)i * 512;
        stack_t old, stack = {.ss_size = bytes};
        stack.ss_sp = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        sigaltstack(&stack, &old);
        if (old.ss_sp)
            munmap(old.ss_sp, old.ss_size);
        raise(SIGUSR1);
    }
    printf("%d\n", hits);
    return 0;
}

static int all_blocked(char **argv)
{
    (void)argv;
    struct signalfd_siginfo info;
    sigset_t all, got;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    int fd = signalfd(-1, &all, SFD_CLOEXEC), sum = works(100);
    kill(getpid(), SIGTERM);
    raise(SIGSEGV);
    for (int i = 0; i < 2; i++)
        if (read(fd, &info, sizeof(info)) == sizeof(info))
            sum += (int)info.ssi_signo;
    sigprocmask(SIG_SETMASK, NULL, &got);
    printf("%d %d\n", sum, memcmp(&all, &got, 8));
    return 0;
}

/* Every signal that there is: set, raised, told. */
static int every_signal(char **argv)
{
    (void)argv;
    struct sigaction was;
    int same = 0;
    for (int i = 1; i <= SIGRTMAX; i++) {
        handle(i, tick, i % 2 ? SA_RESTART : SA_NODEFER);
        same += sigaction(i, NULL, &was) == 0 && was.sa_handler == tick &&
                was.sa_flags == (i % 2 ? SA_RESTART : SA_NODEFER);
        if (same)
            raise(i == SIGKILL || i == SIGSTOP ? SIGUSR1 : i);
        signal(i, SIG_DFL);
    }
    printf("%d %d\n", same, hits);
    return 0;
}

/* A fault's signal that another thread sends: its handler runs on the stack of
 * the thread that gets it, wherever that is. */
static uintptr_t stack_low, stack_high;
static volatile int outside, has_begun, has_ended;

static void where(int number)
{
    char here;
    uintptr_t at = (uintptr_t)&here;
    (void)number;
    hits++;
    outside += at - stack_low >= stack_high - stack_low;
}

static void *send(void *to)
{
    while (!has_begun)
        sched_yield();
    while (!has_ended) {
        pthread_kill(*(pthread_t *)to, SIGSEGV);
        pthread_kill(*(pthread_t *)to, SIGFPE);
        sched_yield();
    }
    return NULL;
}

static void *receive(void *unused)
{
    pthread_attr_t attributes;
    void *low;
    size_t bytes;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &low, &bytes);
    stack_low = (uintptr_t)low;
    stack_high = stack_low + bytes;
    has_begun = 1;
    for (int i = 0; i < 100; i++) { /* slow work of whoever listens there */
        void *object = dlopen("libm.so.6", RTLD_NOW);
        work(i);
        if (object)
            dlclose(object);
    }
    has_ended = 1;
    return unused;
}

static int sent_faults(char **argv)
{
    (void)argv;
    pthread_t to, from;
    handle(SIGSEGV, where, SA_RESTART);
    handle(SIGFPE, where, SA_RESTART);
    pthread_create(&to, NULL, receive, NULL);
    pthread_create(&from, NULL, send, &to);
    pthread_join(from, NULL);
    pthread_join(to, NULL);
    printf("%d\n", outside > 0 ? -1 : hits > 0);
    return 0;
}

/* ---- ends ---------------------------------------------------------------- */

static void thrice(int number)
{
    if (++hits < 3)
        raise(number);
    work(number);
}

static int nested(char **argv)
{
    (void)argv;
    handle(SIGUSR1, thrice, SA_NODEFER);
    raise(SIGUSR1);
    printf("%d\n", hits);
    return 0;
}

static void leave(int number)
{
    work(number);
    _exit(9);
}

static int exit_in_handler(char **argv)
{
    (void)argv;
    handle(SIGSEGV, leave, 0);
    return fall(3);
}

static void leave_by_exit(int number)
{
    printf("%d\n", work(number));
    exit(8);
}

static int exit_by_signal(char **argv)
{
    (void)argv;
    handle(SIGTERM, leave_by_exit, 0);
    for (int i = 0;; i++)
        if (work(i) == 100)
            kill(getpid(), SIGTERM);
}

static void fork_here(int number)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(work(number));
    hits += status_of(pid) >> 8;
}

static int fork_in_handler(char **argv)
{
    (void)argv;
    handle(SIGUSR2, fork_here, 0);
    for (int i = 0; i < 20; i++) {
        work(i);
        raise(SIGUSR2);
    }
    printf("%d\n", hits);
    return 0;
}

static ucontext_t elsewhere;
static void set_elsewhere(int number)
{
    work(number);
    hits++;
    setcontext(&elsewhere);
}

static int setcontext_in_handler(char **argv)
{
    (void)argv;
    handle(SIGUSR1, set_elsewhere, SA_NODEFER);
    getcontext(&elsewhere);
    if (hits < 200) {
        work(hits);
        raise(SIGUSR1);
    }
    printf("%d\n", hits);
    return 0;
}

static int dies_segv(char **argv)
{
    (void)argv;
    return fall(5);
}

static int dies_abrt(char **argv)
{
    (void)argv;
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGABRT);
    sigprocmask(SIG_BLOCK, &one, NULL);
    work(1);
    abort();
}

static int dies_fpe(char **argv)
{
    (void)argv;
    int low = work(6), high = 0, by = 0;
    __asm__ volatile("idivl %2" : "+a"(low), "+d"(high) : "r"(by));
    return low;
}

static int dies_trap(char **argv)
{
    (void)argv;
    work(1);
    __asm__ volatile("int3");
    return 0;
}

static void small_stack(void)
{
    const struct rlimit limit = {1 << 20, 1 << 20};
    setrlimit(RLIMIT_STACK, &limit);
}

static int dies_overflow(char **argv)
{
    (void)argv;
    small_stack();
    return deep(1 << 30);
}

static int overflow_caught(char **argv)
{
    (void)argv;
    static char room[65536];
    const stack_t stack = {.ss_sp = room, .ss_size = sizeof(room)};
    sigaltstack(&stack, NULL);
    small_stack();
    handle(SIGSEGV, jump, SA_ONSTACK);
    for (volatile int i = 0; i < 5; i++)
        if (sigsetjmp(back, 1) == 0)
            deep(1 << 30);
    printf("%d %d\n", hits, work(3));
    return 0;
}

const struct way signal_ways[] = {
    {"segv-jumps", segv_jumps},
    {"skips", skips},
    {"barriers", barriers},
    {"timers", timers},
    {"alternate-moves", alternate_moves},
    {"all-blocked", all_blocked},
    {"every-signal", every_signal},
    {"sent-faults", sent_faults},
    {"nested", nested},
    {"exit-in-handler", exit_in_handler},
    {"exit-by-signal", exit_by_signal},
    {"fork-in-handler", fork_in_handler},
    {"setcontext-in-handler", setcontext_in_handler},
    {"dies-segv", dies_segv},
    {"dies-abrt", dies_abrt},
    {"dies-fpe", dies_fpe},
    {"dies-trap", dies_trap},
    {"dies-overflow", dies_overflow},
    {"overflow-caught", overflow_caught},
    {NULL, NULL},
};
