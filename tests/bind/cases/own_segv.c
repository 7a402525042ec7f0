/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of a program that handles them itself, on a stack of its own: a write
 * to nowhere that the handler repairs, a handler that is itself traced, an
 * overflow of the stack below a handler, SA_RESETHAND; and children that die
 * of a fault with core dumps allowed. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char *page, *stack;
static sigjmp_buf back;
static int faults;

__attribute__((noipa)) int traced_in_signal(int n)
{
    __asm__ volatile("");
    return n + 1;
}
static void on_fault(int number, siginfo_t *info, void *context)
{
    char here;
    (void)context;
    faults = traced_in_signal(faults);
    printf("fault %d code %d at page %d, on own stack %d\n", number,
           info->si_code, (char *)info->si_addr == page,
           &here > stack && &here < stack + 65536);
    if (info->si_addr != page)
        siglongjmp(back, 1);
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
}
__attribute__((noipa)) int touch(char *at)
{
    *at = 5;
    return *at;
}
__attribute__((noipa)) int endless(int n)
{
    volatile char room[4000];
    room[0] = (char)n;
    return endless(n + 1) + room[0];
}
static void child(int how)
{
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
        if (chdir("/proc/self") != 0) /* no room for a core there */
            _exit(1);
        setrlimit(RLIMIT_CORE, &all);
        if (how == 0)
            signal(SIGSEGV, SIG_DFL);
        if (how == 2)
            sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
        if (how == 3) { /* blocked: a fault kills all the same */
            sigset_t all_signals;
            sigfillset(&all_signals);
            sigprocmask(SIG_BLOCK, &all_signals, NULL);
        }
        if (how == 1 || how == 2)
            endless(0);
        touch((char *)0x1000);
        _exit(2);
    }
    waitpid(pid, &status, 0);
    printf("child %d: %x\n", how, (unsigned)status);
}
int main(void)
{
    struct sigaction own = {.sa_sigaction = on_fault,
                            .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    struct rlimit small = {1 << 20, 1 << 20};
    page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack = malloc(65536);
    setrlimit(RLIMIT_STACK, &small);
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = 65536}, NULL);
    sigaction(SIGSEGV, &own, NULL);
    for (int i = 0; i < 3; i++) {
        mprotect(page, 4096, PROT_NONE);
        printf("%d\n", touch(page));
    }
    if (sigsetjmp(back, 1) == 0)
        endless(0);
    printf("faults %d\n", faults);
    child(0);
    sigaction(SIGSEGV, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    child(1);
    child(2);
    child(3);
    own.sa_flags |= (int)SA_RESETHAND;
    sigaction(SIGSEGV, &own, NULL);
    mprotect(page, 4096, PROT_NONE);
    printf("%d\n", touch(page));
    fflush(stdout);
    mprotect(page, 4096, PROT_NONE);
    return touch(page); /* nobody is there any more */
}
