// SPDX-License-Identifier: Apache-2.0
/*
 * Lets the Nth system call that is made from within one object fail, and the
 * program go on.
 *
 *   nth OBJECT N COUNT_FILE PROGRAM ARGUMENT...
 *
 * OBJECT: end of the object's path. N 0: none fails. The program's output and
 * status are its own; COUNT_FILE gets how many such calls there were and the
 * number of the one that failed. Calls that cannot fail are not counted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TASKS = 64,
    PATH = 4096
};

static const char *object;
static uint64_t low, high;
static long wanted, count, failed_number = -1;
static pid_t failing; /* the task whose call is being failed */

/* The object's mapped range, once it is there. */
static bool find_object(pid_t pid)
{
    char path[64], line[PATH + 128];
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "r");
    low = high = 0;
    while (maps && fgets(line, sizeof(line), maps)) {
        unsigned long from, to;
        size_t len = strcspn(line, "\n"), end = strlen(object);
        if (sscanf(line, "%lx-%lx", &from, &to) != 2 || len < end ||
            strncmp(line + len - end, object, end) != 0)
            continue;
        low = low ? low : from;
        high = to;
    }
    if (maps)
        fclose(maps);
    return low != 0;
}

static bool cannot_fail(uint64_t number)
{
    return number == SYS_close || number == SYS_munmap ||
           number == SYS_rt_sigprocmask || number == SYS_exit ||
           number == SYS_exit_group || number == SYS_gettid ||
           number == SYS_getpid || number == SYS_geteuid ||
           number == SYS_execve || number == SYS_nanosleep ||
           number == SYS_clock_gettime; /* one after each switch to a task */
}

static void at_entry(pid_t pid, const struct __ptrace_syscall_info *info)
{
    struct user_regs_struct regs;
    uint64_t ip = info->instruction_pointer;
    if (cannot_fail(info->entry.nr) || (low == 0 && !find_object(pid)) ||
        ip < low || ip > high || ++count != wanted)
        return;
    failed_number = (long)info->entry.nr;
    failing = pid;
    ptrace(PTRACE_GETREGS, pid, NULL, &regs);
    regs.orig_rax = (unsigned long)-1;
    ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}

static long error_of(long number)
{
    return number == SYS_openat || number == SYS_ftruncate ? -ENOSPC : -ENOMEM;
}

static void at_exit(pid_t pid)
{
    struct user_regs_struct regs;
    if (pid != failing)
        return;
    failing = 0;
    ptrace(PTRACE_GETREGS, pid, NULL, &regs);
    regs.rax = (unsigned long)error_of(failed_number);
    ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}

/* The signal to hand on. */
static long look(pid_t pid, int status)
{
    struct __ptrace_syscall_info info = {0};
    int signal = WSTOPSIG(status);
    if (signal == (SIGTRAP | 0x80)) {
        if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0) {
            if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
                at_entry(pid, &info);
            else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
                at_exit(pid);
        }
        return 0;
    }
    if (status >> 16 == PTRACE_EVENT_EXEC)
        low = 0;
    if (status >> 16 != 0 || signal == SIGSTOP)
        return 0;
    return signal;
}

static int follow(pid_t first)
{
    int status, result = 0;
    pid_t pid;
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        if (!WIFSTOPPED(status)) {
            if (pid == first)
                result = status;
            continue;
        }
        ptrace(PTRACE_SYSCALL, pid, NULL, look(pid, status));
    }
    return result;
}

int main(int argc, char **argv)
{
    int status;
    if (argc < 5)
        return 2;
    object = argv[1];
    wanted = atol(argv[2]);
    pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        setenv("LD_PRELOAD", getenv("NTH_PRELOAD"), 1);
        execv(argv[4], argv + 4);
        _exit(127);
    }
    waitpid(pid, &status, __WALL);
    ptrace(PTRACE_SETOPTIONS, pid, NULL,
           PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
               PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL);
    ptrace(PTRACE_SYSCALL, pid, NULL, 0);
    status = follow(pid);
    FILE *out = fopen(argv[3], "w");
    if (!out)
        return 2;
    fprintf(out, "%ld %ld\n", count, failed_number);
    fclose(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
