/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals on an alternate stack of `SIZE` bytes with nothing mapped below it:
 * whoever takes a byte too many is killed by SIGSEGV.
 *   alternate SIZE WAY     SIZE: bytes, or min, min+BYTES: what sysconf() says
 * Prints what it sees, ends as WAY says.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    PAGE = 4096
};

static volatile int zero;
static sigjmp_buf back;
static size_t size;

static void set_stack(void)
{
    size_t pages = (size + PAGE - 1) / PAGE * PAGE;
    char *at = mmap(NULL, pages + PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const stack_t stack = {.ss_sp = at + PAGE, .ss_size = size};
    mprotect(at, PAGE, PROT_NONE);
    if (sigaltstack(&stack, NULL) != 0) {
        puts("refused");
        exit(3);
    }
}

static void on(int signal, void (*handler)(int))
{
    struct sigaction action = {.sa_flags = SA_ONSTACK};
    action.sa_handler = handler;
    sigaction(signal, &action, NULL);
}

/* ---- handlers, sparing with their stack --------------------------------- */

static void leaves(int signal)
{
    (void)signal;
    __asm__ volatile("syscall" ::"a"(SYS_exit_group), "D"(7L));
}

static void jumps(int signal)
{
    (void)signal;
    siglongjmp(back, 1);
}

static void aborts(int signal)
{
    (void)signal;
    abort();
}

static void raises(int signal)
{
    raise(signal == SIGUSR1 ? SIGFPE : SIGUSR1);
}

static void returns(int signal)
{
    (void)signal;
}

/* As crash handlers do: once more, and by default. */
static void resets(int number)
{
    signal(number, SIG_DFL);
}

static void resets_and_kills(int number)
{
    signal(number, SIG_DFL);
    kill(getpid(), number);
}

/* The registers that the handler begins with are those of the fault. */
__attribute__((naked)) static void sees(int signal)
{
    (void)signal;
    __asm__ volatile("cmp $0x1111, %%rbx\n jne 1f\n"
                     "cmp $0x2222, %%r12\n jne 1f\n"
                     "cmp $0x3333, %%r8\n jne 1f\n"
                     "cmp $0x4444, %%r10\n jne 1f\n"
                     "cmp $0x5555, %%r15\n jne 1f\n"
                     "cmp $0x6666, %%rcx\n jne 1f\n"
                     "cmpq $0, 8(%%rdx)\n jne 1f\n"
                     "test %%eax, %%eax\n jne 1f\n"
                     "mov $9, %%edi\n jmp 2f\n"
                     "1: mov $10, %%edi\n"
                     "2: mov $231, %%eax\n syscall\n" ::
                         : "memory");
}

/* ---- what fails --------------------------------------------------------- */

__attribute__((noinline)) int work(int n);
__attribute__((noinline)) int work(int n)
{
    return n / zero;
}

static void fault_with_registers(void)
{
    __asm__ volatile("mov $0x1111, %%rbx\n mov $0x2222, %%r12\n"
                     "mov $0x3333, %%r8\n mov $0x4444, %%r10\n"
                     "mov $0x5555, %%r15\n mov $0x6666, %%rcx\n ud2\n" ::
                         : "rbx", "r12", "r8", "r10", "r15", "rcx");
}

__attribute__((noinline)) static int overflow(int n)
{
    volatile char room[1000];
    room[n % 1000] = 1;
    return overflow(n + 1) + room[0];
}

static void fail_often(void)
{
    for (volatile int i = 0; i < 5; i++)
        if (sigsetjmp(back, 1) == 0)
            work(1);
    puts("lives");
}

static void tell(int signal)
{
    struct sigaction now;
    stack_t stack;
    sigaction(signal, NULL, &now);
    sigaltstack(NULL, &stack);
    printf("%d: %s, flags %#x, stack of %zu\n", signal,
           now.sa_handler == SIG_DFL ? "default" : "a handler",
           (unsigned)now.sa_flags, stack.ss_size);
}

static void tell_all(void)
{
    struct sigaction action = {.sa_flags = SA_ONSTACK | SA_RESTART};
    tell(SIGFPE);
    sigaction(SIGFPE, &action, NULL);
    tell(SIGFPE);
    on(SIGFPE, returns);
    tell(SIGFPE);
    signal(SIGFPE, SIG_DFL);
    tell(SIGFPE);
}

static void *in_thread(void *unused)
{
    set_stack();
    work(1);
    return unused;
}

static void run_in_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, in_thread, NULL);
    pthread_join(thread, NULL);
}

/* A vfork child's stack is not ours to judge. */
static void fail_in_child(void)
{
    if (vfork() == 0) {
        stack_t none = {.ss_flags = SS_DISABLE};
        sigaltstack(&none, NULL);
        _exit(0);
    }
    abort();
}

static const struct way {
    const char *name;
    int signal; /* with `handler` */
    void (*handler)(int);
    void (*then)(void);
} ways[] = {
    {"fault", 0, NULL, NULL},
    {"abort", 0, NULL, abort},
    {"thread", 0, NULL, run_in_thread},
    {"child", 0, NULL, fail_in_child},
    {"told", 0, NULL, tell_all},
    {"leaves", SIGFPE, leaves, NULL},
    {"jumps", SIGFPE, jumps, fail_often},
    {"aborts", SIGFPE, aborts, NULL},
    {"raises", SIGUSR1, raises, NULL},
    {"resets", SIGFPE, resets, NULL},
    {"kills", SIGFPE, resets_and_kills, NULL},
    {"registers", SIGILL, sees, fault_with_registers},
    {"overflow", SIGSEGV, leaves, NULL},
    {"full", 0, NULL, NULL},
};

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    size = strncmp(argv[1], "min", 3) == 0 ? (size_t)sysconf(_SC_MINSIGSTKSZ) +
                                                 strtoul(argv[1] + 3, NULL, 0)
                                           : strtoul(argv[1], NULL, 0);
    for (const struct way *way = ways; way < ways + sizeof ways / sizeof *ways;
         way++) {
        if (strcmp(way->name, argv[2]) != 0)
            continue;
        set_stack();
        setbuf(stdout, NULL);
        if (way->handler)
            on(way->signal, way->handler);
        if (way->signal == SIGUSR1)
            raise(SIGUSR1);
        if (strcmp(way->name, "overflow") == 0 ||
            strcmp(way->name, "full") == 0)
            return overflow(0);
        if (way->then)
            way->then();
        else
            work(1);
        return 0;
    }
    return 2;
}
