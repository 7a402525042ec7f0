// SPDX-License-Identifier: Apache-2.0
/*
 * A child that libc did not fork, and that called no handler yet, installs its
 * signal handlers and its alternate stack: what it is given is read from its
 * own memory, which is not its parent's any more.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int work(int n);
__attribute__((noinline)) int work(int n)
{
    __asm__ volatile("" : "+r"(n));
    return n + 1;
}

static struct sigaction action; /* all zero in the parent: SIG_DFL */

static void on_fault(int signal)
{
    sigset_t blocked;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    bool is_right = signal == SIGSEGV && sigismember(&blocked, SIGUSR1) &&
                    !sigismember(&blocked, SIGUSR2);
    _exit(is_right ? 3 : 4);
}

static int child(void)
{
    action.sa_handler = on_fault;
    sigaddset(&action.sa_mask, SIGUSR1);
    if (sigaction(SIGSEGV, &action, NULL) != 0)
        return 5;
    raise(SIGSEGV);
    return 6;
}

int main(void)
{
    int status = 0;
    work(1);
    long pid = syscall(SYS_fork);
    if (pid == 0)
        _exit(child());
    waitpid((pid_t)pid, &status, 0);
    bool is_right = WIFEXITED(status) && WEXITSTATUS(status) == 3;
    const char *said = is_right ? "its own\n" : "its parent's\n";
    return write(1, said, strlen(said)) < 0 || !is_right;
}
