/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts in memory of every kind, in a program that does to it what programs
 * do. Without a word about tracing; product_test.py runs it with and without.
 *
 *   product MODE
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    ROUNDS = 20000,
    CALLS = 200000
};

/* Does not look at its text: the page may be gone. */
long take(const char *text, long n);
__attribute__((noipa)) long take(const char *text, long n)
{
    __asm__ volatile("" : : "r"(text) : "memory");
    return n + 1 - (n >> 62) + ((n >> 61) & 5);
}

static char in_data[] = "text in data";
static char *shared;
static _Atomic bool stop;

static void *come_and_go(void *unused)
{
    while (!stop) {
        munmap(shared, PAGE);
        char *at = mmap(shared, PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        memcpy(at, "here", 5);
    }
    return unused;
}

/* Seen a moment ago, and gone. */
static long gone(void)
{
    long sum = 0;
    for (long i = 0; i < 100; i++) {
        char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memcpy(at, "here", 5);
        sum += take(at, i);
        munmap(at, PAGE);
        sum += take(at, i) + take(at, i);
    }
    return sum;
}

static void churn(void)
{
    pthread_t thread;
    printf("%ld\n", gone());
    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(shared, "here", 5);
    take(shared, 0);
    if (pthread_create(&thread, NULL, come_and_go, NULL) != 0)
        abort();
    long sum = 0;
    for (long i = 0; i < ROUNDS; i++) {
        errno = 77;
        sum += take(shared, i);
        if (errno != 77)
            puts("errno changed");
    }
    stop = true;
    pthread_join(thread, NULL);
    printf("%ld\n", sum);
}

static void everywhere(void)
{
    char on_stack[] = "text on the stack", *heap = strdup("text on the heap");
    for (long i = 0; i < 3; i++) {
        take("text in rodata", i);
        take(in_data, i);
        take(on_stack, i);
        take(heap, i);
        take((const char *)16, i);
    }
    free(heap);
}

static void own_handler(int number)
{
    if (write(1, "own handler\n", 12) != 12)
        _exit(3);
    _exit(number);
}

static char *lazy; /* a page that comes when it is touched */
static volatile long came;

/* The signal is blocked here, and the page not there yet. */
static void page_in(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    take(lazy, came);
    if ((char *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1)) != lazy)
        _exit(9);
    mprotect(lazy, PAGE, PROT_READ | PROT_WRITE);
    came++;
}

/* A program that lives on its faults. */
static void page(void)
{
    struct sigaction action = {.sa_sigaction = page_in, .sa_flags = SA_SIGINFO};
    lazy = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0);
    memcpy(lazy, "here", 5);
    sigaction(SIGSEGV, &action, NULL);
    for (long i = 0; i < 1000; i++) {
        take(lazy, i);
        mprotect(lazy, PAGE, PROT_NONE);
        if (i % 2)
            take(lazy, i);
        ((volatile char *)lazy)[4] = 0;
    }
    printf("%ld\n", came);
}

/* Its one time is the program's. */
static void once(void)
{
    struct sigaction action = {.sa_handler = own_handler,
                               .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGSEGV, &action, NULL);
    churn();
    everywhere();
    fflush(stdout);
    char *volatile nowhere = (char *)16;
    *nowhere = 0;
}

/* process_vm_readv kills; so would, from now on, asking for the mask. */
static void filter(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(*code), code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
        puts("no filter here");
}

static void block(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* What a child of vfork changes of its signals is not its parent's. */
static void guest(void)
{
    pid_t pid = vfork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_IGN);
        signal(SIGBUS, SIG_DFL);
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        _exit(0);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    printf("child %d\n", status);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    if (strcmp(mode, "blocked") == 0) {
        block(SIGSEGV);
        block(SIGBUS);
        churn();
    } else if (strcmp(mode, "handler") == 0) {
        signal(SIGSEGV, own_handler);
        signal(SIGBUS, own_handler);
        churn();
    } else if (strcmp(mode, "page") == 0) {
        page();
    } else if (strcmp(mode, "once") == 0) {
        once();
    } else if (strncmp(mode, "calls", 5) == 0) {
        char *text = strdup("text on the heap");
        if (mode[5])
            signal(SIGSEGV, own_handler);
        for (long i = 0; i < CALLS; i++)
            take(text, i);
        free(text);
        return 0;
    } else if (strcmp(mode, "filter") == 0) {
        filter();
    } else if (strcmp(mode, "guest") == 0) {
        guest();
        churn();
    } else if (strcmp(mode, "killed") == 0) {
        everywhere();
        fflush(stdout);
        kill(getpid(), SIGSEGV);
    } else if (strcmp(mode, "churn") == 0) {
        churn();
    } else if (strcmp(mode, "exec") == 0) {
        /* a filter that was there before the program */
        filter();
        execl(argv[0], argv[0], "", NULL);
    }
    everywhere();
    return 0;
}
