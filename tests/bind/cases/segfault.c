/* SPDX-License-Identifier: Apache-2.0 */
/* What a program sees of its fatal signals: dispositions, a handler of its own
 * with the address of the fault, children that die of each of them. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};
enum {
    SIGNALS = sizeof(signals) / sizeof(*signals)
};
static int *volatile nowhere = (int *)0x1000;
static sigjmp_buf back;

__attribute__((noipa)) int deep(int n)
{
    if (n == 0)
        *nowhere = 1;
    int below = n > 0 ? deep(n - 1) : n;
    __asm__ volatile("" : "+r"(below)); /* no loop instead */
    return below + 1;
}
static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    printf("own handler: %d at %p\n", number, info->si_addr);
    siglongjmp(back, 1);
}
static void print_disposition(int number)
{
    struct sigaction now;
    memset(&now, 0xff, sizeof(now));
    sigaction(number, NULL, &now);
    printf("%d: default %d, flags %x, mask %d, ", number,
           now.sa_handler == SIG_DFL, (unsigned)now.sa_flags,
           sigismember(&now.sa_mask, SIGINT));
}
/* 0: raise, 1: fault, 2: sent by another process */
static void die(int number, int how)
{
    int status = 0, ready[2];
    char byte = 0;
    fflush(stdout);
    if (pipe(ready) != 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        deep(-2);
        if (write(ready[1], &byte, 1) != 1)
            _exit(78);
        if (how == 1)
            deep(1);
        else if (how == 0)
            raise(number);
        for (;;)
            pause();
    }
    if (read(ready[0], &byte, 1) == 1 && how == 2)
        kill(pid, number);
    waitpid(pid, &status, 0);
    close(ready[0]);
    close(ready[1]);
    printf("%d %d died %d of %d\n", number, how, WIFSIGNALED(status),
           WTERMSIG(status));
}
int main(void)
{
    struct rlimit none = {0, 0};
    struct sigaction own = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    setrlimit(RLIMIT_CORE, &none);
    die(SIGSEGV, 1);
    for (int i = 0; i < SIGNALS; i++) {
        die(signals[i], 0);
        die(signals[i], 2);
    }
    for (int i = 0; i < SIGNALS; i++) {
        print_disposition(signals[i]);
        printf("%d ", signal(signals[i], SIG_IGN) == SIG_DFL);
        printf("%d\n", signal(signals[i], SIG_DFL) == SIG_IGN);
    }
    sigaction(SIGSEGV, &own, NULL);
    if (sigsetjmp(back, 1) == 0)
        deep(1);
    signal(SIGSEGV, SIG_DFL);
    fflush(stdout);
    deep(2);
    return 0;
}
