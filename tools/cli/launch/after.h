/* SPDX-License-Identifier: Apache-2.0 */
/* What the user asked to be done when a command has failed, or a call of it is
 * overdue. */
#pragma once
#include "tools/cli/launch/child.h"
#include "tools/cli/launch/launch.h"
#include <sys/types.h>

/*
 * Run `command` (by sh) if `c` ended with another status than 0 or by a signal,
 * and wait for it: untraced, without input, its output on stderr, with
 * HANDSPAN_TRACE (hex; not set where there is no trace), HANDSPAN_ENDED ("exit
 * 3", "SIGSEGV"), HANDSPAN_STORE and HANDSPAN_DIR. NULL: nothing. That it could
 * not be run, or failed, is said on stderr.
 */
void after_failure(const char *command, const struct launch *l,
                   const struct child *c, const char *trace);
/*
 * run --on-overdue: the same, once, as soon as the store knows of a call that
 * is open for longer than its limit; HANDSPAN_OVERDUE says which and where,
 * HANDSPAN_ENDED is not set. A process of its own looks, while the command
 * runs; it ends with this one, whichever way that goes.
 */
struct late {
    const char *command;         /* NULL: nothing is asked for */
    const char *trace;           /* hex; "": none, so nothing is looked at */
    const struct launch *launch; /* these three must stay */
    int64_t since_unix_ns;
    int stop_fd, done_fd; /* -1: nobody looks */
    pid_t pid;
};
/* Begin to look. That it could not is told; late_end() looks once then. */
void late_begin(struct late *l);
/* The command has ended, and what it left is stored as far as it will be: run
 * what was asked for if that was not done and a call was overdue. Waits until
 * it is done. */
void late_end(struct late *l);
