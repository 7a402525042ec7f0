/* SPDX-License-Identifier: Apache-2.0 */
/* What the user asked to be done when a command has failed, or a call of it is
 * overdue. */
#pragma once
#include "tools/cli/launch/child.h"
#include "tools/cli/launch/launch.h"

/*
 * Run `command` (by sh) if `c` ended with another status than 0 or by a signal,
 * and wait for it: untraced, without input, its output on stderr, with
 * HANDSPAN_TRACE (hex; not set where there is no trace), HANDSPAN_ENDED ("exit
 * 3", "SIGSEGV"), HANDSPAN_STORE and HANDSPAN_DIR. NULL: nothing. That it could
 * not be run, or failed, is said on stderr.
 */
void after_failure(const char *command, const struct launch *l,
                   const struct child *c, const char *trace);
/* The same of a call that is overdue: HANDSPAN_OVERDUE says which and where
 * (`line`), HANDSPAN_ENDED is not set. */
void after_overdue(const char *command, const struct launch *l,
                   const char *trace, const char *line);
