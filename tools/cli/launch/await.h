/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a trace still lies in the session directory: what `run` waits for
 * after its command ended. Only what the dead left: a daemon's session is not
 * over. And what `run` itself puts beside the sessions: how its command ended.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "tools/cli/launch/child.h"

/* The trace id of TRACEPARENT in this process's environment. False: none. */
bool await_trace_id(char hex[33]);

struct await {
    const char *dir;
    uint8_t trace[16];
    int64_t since_unix_ns; /* older files are of others */
    void *others;          /* names of sessions of other traces (tsearch) */
};
struct await_left {
    int dead, alive; /* sessions of the trace, by their processes */
    uint64_t bytes;  /* that the dead ones wrote and that are not stored */
};
/* For the sessions in `dir`, which must stay, of this trace (32 hex digits)
 * that began at or after that time. */
void await_init(struct await *await, const char *dir, const char *trace_hex,
                int64_t since_unix_ns);
void await_free(struct await *await);
struct await_left await_look(struct await *await);

/* How a command ended, for the sidecar: docs/lane.md. Files of `dir`, written
 * aside and renamed, so that each is whole or not there. What cannot be written
 * is not: the sidecar goes by what else it finds. */

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
