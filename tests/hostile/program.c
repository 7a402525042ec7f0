// SPDX-License-Identifier: Apache-2.0
/*
 * What a C program does with its surroundings, and says: descriptors, limits,
 * signals, its folder, a child, a fault that it survives.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf back;

int work(int n);
__attribute__((noinline)) int work(int n)
{
    __asm__ volatile("" : "+r"(n));
    return n + 1;
}

static void on_fault(int number)
{
    siglongjmp(back, work(number));
}

static int survive(void)
{
    struct sigaction action = {.sa_handler = on_fault}, old;
    static char room[65536];
    const stack_t stack = {.ss_sp = room, .ss_size = sizeof(room)};
    action.sa_flags = SA_ONSTACK;
    sigaltstack(&stack, NULL);
    sigaction(SIGSEGV, &action, &old);
    int got = sigsetjmp(back, 1);
    if (got == 0) {
        sigset_t mine;
        sigemptyset(&mine);
        sigaddset(&mine, SIGSEGV);
        sigprocmask(SIG_UNBLOCK, &mine, NULL);
        *(volatile int *)8 = 1;
    }
    sigaction(SIGSEGV, &old, NULL);
    return got * 10 + (old.sa_handler == SIG_DFL);
}

static int child(void)
{
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(work(4));
    if (pid < 0)
        return -errno;
    return waitpid(pid, &status, 0) == pid ? status >> 8 : -errno;
}

int main(void)
{
    char folder[4096];
    struct rlimit files;
    int fds = 0, sum = 0;
    for (int i = 0; i < 200; i++) {
        sum += work(i);
        fds += fcntl(i, F_GETFD) >= 0;
    }
    int fd = open("/dev/null", O_RDONLY);
    getrlimit(RLIMIT_NOFILE, &files);
    mode_t mask = umask(0);
    printf("%d %d %d %ld %o\n", sum, fds, fd, (long)files.rlim_cur,
           (unsigned)mask);
    printf("%s %d %d\n", getcwd(folder, sizeof(folder)) ? folder : "gone",
           survive(), child());
    void *large = malloc(20 << 20);
    printf("%d\n", large != NULL);
    free(large);
    return fflush(stdout) != 0 ? 9 : 3;
}
