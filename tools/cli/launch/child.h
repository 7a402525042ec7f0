/* SPDX-License-Identifier: Apache-2.0 */
/* Running a command as a good wrapper does: its signals, its status. */
#pragma once
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct child {
    pid_t pid;
    uint64_t start_time; /* names the process together with pid; 0 unknown */
    int64_t start_unix_ns, end_unix_ns, end_monotonic_ns;
    uint64_t end_ticks; /* of the TSC */
    int exec_errno;     /* != 0: it never ran */
    int wait_status;
    struct rusage usage;
};

/*
 * Start argv[0] (found at `path`) and wait for it. Meanwhile every signal that
 * a process sends to us is handed on (real-time ones each, with their values),
 * those of the terminal reach it in our process group; when it stops we stop;
 * it is killed when we are; other children that end are reaped. LISTEN_PID,
 * WATCHDOG_PID and SYSTEMD_EXEC_PID name it where they named us. `ended` is
 * called when it is dead, its status and usage known, but not reaped yet. 0 or
 * -errno (no process).
 */
int child_run(const char *path, char **argv, struct child *out,
              void (*ended)(void *context, const struct child *c),
              void *context) __attribute__((warn_unused_result));

/* Become the command, as execvp() does; returns if that failed, with errno. */
void child_exec(const char *path, char **argv);

/* End as the child did: its exit status, or its signal (without another core
 * dump). Does not return. */
_Noreturn void child_exit_as(const struct child *c);
