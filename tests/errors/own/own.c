// SPDX-License-Identifier: Apache-2.0
/*
 * A program with handlers of its own for fatal signals: own CASE. It prints
 * all that it can see of them, so that a tracer that changes something is
 * seen; then it ends, or lives on, in one of the ways programs do.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define OUT __attribute__((noinline, noipa))
#define STAY __asm__ volatile("" ::: "memory")

static volatile int *volatile nowhere = (int *)0x10;
static char room[1 << 16];
static sigjmp_buf back;
static const char *how;
static int faults;

OUT static void fault(void)
{
    /* two bytes: the handlers that go on step over them */
    __asm__ volatile("mov %%eax, (%0)" : : "r"(nowhere) : "memory"); /* @fault */
    STAY;
}

/* ---- what a handler sees -------------------------------------------------- */

static void show_mask(const char *what, const sigset_t *mask)
{
    printf("  %s", what);
    for (int i = 1; i < 32; i++)
        if (sigismember(mask, i) == 1)
            printf(" %d", i);
    puts("");
}

static void show_context(int number, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    sigset_t now;
    char *here = __builtin_frame_address(0);
    stack_t stack;
    printf("handler: signal %d", number);
    if (info)
        printf(" code %d address %p", info->si_code,
               info->si_code > 0 ? info->si_addr : NULL);
    printf(" %s\n", here >= room && here < room + sizeof room
                        ? "on its stack"
                        : "on the thread's stack");
    sigprocmask(SIG_SETMASK, NULL, &now);
    show_mask("mask", &now);
    if (!u)
        return;
    show_mask("mask before", &u->uc_sigmask);
    sigaltstack(NULL, &stack);
    printf("  trap %lld flags %lx link %p stack %d %zu\n",
           (long long)u->uc_mcontext.gregs[REG_TRAPNO], u->uc_flags,
           (void *)u->uc_link, stack.ss_flags, stack.ss_size);
    uintptr_t at = (uintptr_t)u->uc_mcontext.gregs[REG_RIP];
    if (info && info->si_code > 0)
        printf("  at fault()+%d\n", (int)(at - (uintptr_t)fault));
    /* the caller of this handler is what the kernel put there */
    printf("  called by the kernel's return: %d\n",
           ((unsigned char *)__builtin_return_address(0))[0]);
}

static void by_default(int number)
{
    struct sigaction action = {.sa_handler = SIG_DFL}, old;
    sigaction(number, &action, &old);
    printf("  was own: %d flags %x\n", old.sa_handler != SIG_DFL,
           (unsigned)old.sa_flags);
    sigaction(number, NULL, &old);
    printf("  is default: %d flags %x\n", old.sa_handler == SIG_DFL,
           (unsigned)old.sa_flags);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    show_context(number, info, context);
    fflush(stdout);
    if (strcmp(how, "_exit") == 0)
        _exit(3);
    if (strcmp(how, "_exit0") == 0)
        _exit(0);
    if (strcmp(how, "exit") == 0 || strcmp(how, "exit_alt") == 0)
        exit(4);
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "raise") == 0 || strcmp(how, "raise_alt") == 0) {
        by_default(number);
        fflush(stdout);
        raise(number); /* comes when this handler returns */
        return;
    }
    if (strcmp(how, "raw") == 0) { /* behind libc's back */
        uint64_t none[4] = {0};
        syscall(SYS_rt_sigaction, number, none, NULL, 8);
        return;
    }
    if (strcmp(how, "return") == 0) {
        by_default(number);
        fflush(stdout);
        return;
    }
    if (strncmp(how, "jump", 4) == 0)
        siglongjmp(back, 1);
    if (strncmp(how, "step", 4) == 0)
        u->uc_mcontext.gregs[REG_RIP] += 2;
    /* "reset": the kernel did it */
}

static void on_plain(int number)
{
    printf("plain handler: signal %d\n", number);
    fflush(stdout);
    _exit(5);
}

static void on_storm(int number, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    (void)number;
    (void)info;
    faults++;
    u->uc_mcontext.gregs[REG_RIP] += 2;
}

/* ---- what sigaction() says ------------------------------------------------ */

static void show_action(const char *what, const struct sigaction *a)
{
    printf("%s: %s flags %x restorer %d\n", what,
           a->sa_handler == SIG_DFL          ? "default"
           : a->sa_handler == SIG_IGN        ? "ignored"
           : a->sa_sigaction == on_signal    ? "on_signal"
           : a->sa_sigaction == on_storm     ? "on_storm"
           : a->sa_handler == on_plain       ? "on_plain"
                                             : "another",
           (unsigned)a->sa_flags, a->sa_restorer != NULL);
    show_mask("mask", &a->sa_mask);
}

static void ask(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE,
                                  SIGILL,  SIGABRT, SIGSYS, SIGTERM};
    static const int flags[] = {0, SA_SIGINFO, SA_SIGINFO | SA_ONSTACK,
                                SA_RESTART | SA_NODEFER,
                                SA_SIGINFO | SA_RESETHAND};
    struct sigaction action = {0}, old;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        for (size_t j = 0; j < sizeof flags / sizeof *flags; j++) {
            if (flags[j] & SA_SIGINFO)
                action.sa_sigaction = j & 1 ? on_signal : on_storm;
            else
                action.sa_handler = on_plain;
            action.sa_flags = flags[j];
            sigemptyset(&action.sa_mask);
            sigaddset(&action.sa_mask, SIGUSR1 + (int)j);
            printf("%d", sigaction(signals[i], &action, &old));
            show_action(" old", &old);
            sigaction(signals[i], NULL, &old);
            show_action(" now", &old);
            sigaction(signals[i], &old, &old); /* as it was */
            sigaction(signals[i], NULL, &old);
            show_action(" again", &old);
        }
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        printf("%d", signal(signals[i], on_plain) == SIG_ERR);
        printf("%d", signal(signals[i], SIG_IGN) == on_plain);
        printf("%d", signal(signals[i], SIG_DFL) == SIG_IGN);
        printf("%d\n", signal(signals[i], SIG_DFL) == SIG_DFL);
    }
    printf("%d\n", sigaction(SIGKILL, &action, NULL));
    printf("%d\n", sigaction(99, &action, &old));
}

/* More handlers than there is room for. */
#define TEN(m, n) m(n##0) m(n##1) m(n##2) m(n##3) m(n##4) m(n##5) m(n##6) \
    m(n##7) m(n##8) m(n##9)
#define MAKE(n) static void h##n(int s) { (void)s; _exit(1##n - 100); }
#define NAME(n) h##n,
TEN(MAKE, 1) TEN(MAKE, 2) TEN(MAKE, 3) TEN(MAKE, 4)
static void (*const many[])(int) = {TEN(NAME, 1) TEN(NAME, 2) TEN(NAME, 3)
                                        TEN(NAME, 4)};
static void ask_many(void)
{
    struct sigaction action = {0}, old;
    for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
        action.sa_handler = many[i];
        sigaction(SIGSEGV, &action, &old);
        printf("%d", i == 0 || old.sa_handler == many[i - 1]);
    }
    puts("");
    fflush(stdout);
}

/* ---- the handler of the tracer -------------------------------------------- */

long work(const char *name);
OUT long work(const char *name)
{
    long result = 0;
    if (strncmp(name, "jump", 4) == 0 && sigsetjmp(back, 1) != 0)
        return 1;
    if (strcmp(name, "storm") == 0)
        for (int i = 0; i < 100000; i++)
            fault();
    else if (strcmp(name, "sent") == 0)
        kill(getpid(), SIGSEGV);
    else
        fault();
    result = faults;
    STAY;
    return result;
}

/* ---- many threads, many signals ------------------------------------------ */

static __thread sigjmp_buf own_back;
static __thread int own_faults;

static void on_either(int number, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    (void)number;
    (void)info;
    if (own_faults++ & 1)
        siglongjmp(own_back, 1);
    u->uc_mcontext.gregs[REG_RIP] += 2;
}

static void on_alarm(int number)
{
    (void)number;
}

static void *in_thread(void *result)
{
    for (int i = 0; i < 2000; i++)
        if (sigsetjmp(own_back, 1) == 0)
            work("thread");
    *(int *)result = own_faults;
    return NULL;
}

static void threads(void)
{
    enum { COUNT = 8 };
    struct sigaction action = {.sa_sigaction = on_either,
                               .sa_flags = SA_SIGINFO};
    struct itimerval often = {{0, 1000}, {0, 1000}};
    pthread_t thread[COUNT];
    int results[COUNT];
    sigaction(SIGSEGV, &action, NULL);
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < COUNT; i++)
        pthread_create(&thread[i], NULL, in_thread, &results[i]);
    for (int i = 0; i < COUNT; i++) {
        pthread_join(thread[i], NULL);
        printf("%d\n", results[i]);
    }
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO};
    stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
    sigaddset(&action.sa_mask, SIGUSR2);
    if (strstr(how, "_alt")) {
        sigaltstack(&stack, NULL);
        action.sa_flags |= SA_ONSTACK;
    }
    if (strcmp(how, "reset") == 0)
        action.sa_flags |= SA_RESETHAND;
    if (strcmp(how, "plain") == 0 || strcmp(how, "sent") == 0) {
        action.sa_handler = on_plain;
        action.sa_flags = 0;
    }
    if (strcmp(how, "storm") == 0)
        action.sa_sigaction = on_storm;
    if (strcmp(how, "default") == 0) {
        action.sa_handler = SIG_DFL;
        action.sa_flags = SA_RESTART;
    }
    sigaction(SIGSEGV, &action, NULL);
}

int main(int argc, char **argv)
{
    struct timespec from, to;
    how = argc > 1 ? argv[1] : "";
    if (strcmp(how, "ask") == 0)
        ask();
    if (strcmp(how, "threads") == 0) {
        threads();
        return 0;
    }
    if (strcmp(how, "many") == 0)
        ask_many();
    else
        install();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    long result = strcmp(how, "ask") == 0 ? 0 : work(how);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    if (getenv("OWN_TIME"))
        fprintf(stderr, "%ld\n", (to.tv_sec - from.tv_sec) * 1000000 +
                                     (to.tv_nsec - from.tv_nsec) / 1000);
    if (strcmp(how, "jump_exit") == 0)
        result += work(how);
    printf("done %ld %d\n", result, faults);
    return strcmp(how, "jump_fails") == 0 ? 9 : 0;
}
