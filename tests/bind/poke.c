/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A debugger in small: starts a program, changes a byte of its text before it
 * runs at all, and if that byte is a breakpoint that is met, takes it out and
 * lets the program go on, as gdb does.
 *
 *   poke ADDRESS BYTE [NAME=VALUE...] PROGRAM ARGUMENT...   (hexadecimal)
 *
 * Its status is the program's; 77: nobody may be traced here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static long put(pid_t pid, unsigned long at, unsigned char byte)
{
    long word = ptrace(PTRACE_PEEKTEXT, pid, (void *)at, NULL);
    ptrace(PTRACE_POKETEXT, pid, (void *)at, (void *)((word & ~0xffl) | byte));
    return word & 0xff;
}

static void go_on(pid_t pid, unsigned long at, unsigned char was)
{
    struct user_regs_struct regs;
    ptrace(PTRACE_GETREGS, pid, NULL, &regs);
    if (regs.rip == at + 1) {
        put(pid, at, was);
        regs.rip = at;
        ptrace(PTRACE_SETREGS, pid, NULL, &regs);
    }
}

int main(int argc, char **argv)
{
    int status;
    if (argc < 4)
        return 2;
    unsigned long at = strtoul(argv[1], NULL, 16);
    pid_t pid = fork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(77);
        char **command = argv + 3;
        while (*command && strchr(*command, '='))
            putenv(*command++);
        execv(*command, command);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    if (!WIFSTOPPED(status))
        return WEXITSTATUS(status);
    unsigned char was =
        (unsigned char)put(pid, at, (unsigned char)strtoul(argv[2], NULL, 16));
    ptrace(PTRACE_CONT, pid, NULL, NULL);
    while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
        long signal = WSTOPSIG(status);
        if (signal == SIGTRAP) {
            go_on(pid, at, was);
            signal = 0;
        }
        ptrace(PTRACE_CONT, pid, NULL, (void *)signal);
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
