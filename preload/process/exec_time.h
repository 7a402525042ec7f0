/* SPDX-License-Identifier: Apache-2.0 */
/* When this process was exec'ed, and what an exec'ed one is told. */
#pragma once
#include "preload/call/record/span.h"

/* Take in what the environment says, and blank it there: also where nothing is
 * traced, or it would be told to what is exec'ed from here. [constructor] */
HIDDEN void exec_time_take(char **env);
/* The process's own span begins when it was exec'ed, if that is known for
 * sure. The session must have its process. [constructor] */
HIDDEN void exec_time_begin(void);
/* The first handler may be called now. [constructor] */
HIDDEN void exec_time_loaded(void);
/* The variable for what is exec'ed now; `out` has LANE_EXEC_BYTES.
 * [any thread, signal-safe, also in a child of vfork] */
HIDDEN void exec_time_hand_on(char *out);
