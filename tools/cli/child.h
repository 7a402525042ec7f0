/* SPDX-License-Identifier: Apache-2.0 */
/* Running a command as a good wrapper does: its signals, its status. */
#pragma once
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct child {
    pid_t pid;
    uint64_t start_time; /* names the process together with pid; 0 unknown */
    int64_t start_unix_ns, end_unix_ns;
    int exec_errno; /* != 0: it never ran */
    int wait_status;
    struct rusage usage;
};

/*
 * Start argv[0] (found at `path`) and wait for it. Meanwhile SIGINT and
 * SIGQUIT of the terminal are its own, other signals sent to us are handed
 * on; process group and terminal stay as they are. `ended` is called when it
 * is dead, its status and usage known, but not reaped yet. 0 or -errno (no
 * process).
 */
int child_run(const char *path, char **argv, struct child *out,
              void (*ended)(void *context, const struct child *c),
              void *context) __attribute__((warn_unused_result));

/* End as the child did: its exit status, or its signal (without another core
 * dump). Does not return. */
_Noreturn void child_exit_as(const struct child *c);
