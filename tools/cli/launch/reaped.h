/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a command ended, for the sidecar, beside the sessions: docs/lane.md.
 * Files of `dir`, written aside and renamed, so that each is whole or not
 * there. What cannot be written is not: the sidecar goes by what else it finds.
 */
#pragma once
#include <stdbool.h>
#include "tools/cli/launch/child.h"

/* "reaped-PID-STARTTIME", the certificate of one that was traced: what only
 * its parent knows. `c` is dead and not reaped. */
void reaped_write(const char *dir, const struct child *c);
/* Take it away where the sidecar had no use for it any more. */
void reaped_remove(const char *dir, const struct child *c);

/* "command-TRACEID": of one that nobody traced, for the trace that it has
 * (32 hex digits). */
void reaped_write_command(const char *dir, const char *trace,
                          const struct child *c);
/* Has the sidecar taken it, or was there none? */
bool reaped_is_command_taken(const char *dir, const char *trace);
