/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the command of `handspan run` ended, which nobody traced: "command-" and
 * the trace's id in the session directory, lines "status N" (as of waitpid) and
 * "end_unix_ns N", renamed when it is whole. It goes once it is in the store.
 */
#pragma once
#include "tools/sidecar/store/store.h"

#define COMMAND_PREFIX "command-"

/* Into the store, with what follows for the trace. Number of those that wait
 * for their trace, or -errno. */
int command_take(struct store *store, int dir_fd)
    __attribute__((warn_unused_result));
