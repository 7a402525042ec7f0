/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run --on-overdue: something to be done once, as soon as the store knows of a
 * call that is open for longer than its limit. A process of its own looks,
 * while the command runs; it ends with this one, whichever way that goes.
 */
#pragma once
#include "tools/cli/launch/launch.h"
#include <sys/types.h>

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
