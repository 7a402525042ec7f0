/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a trace still lies in the session directory: what `run` waits for
 * after its command ended. Only what the dead left: a daemon's session is not
 * over.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

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
