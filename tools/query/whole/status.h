/* SPDX-License-Identifier: Apache-2.0 */
/* The store in figures, for `handspan status`. */
#pragma once
#include "tools/query/db.h"

struct query_totals {
    int64_t sessions, live_sessions, traces, open_traces, calls, dropped_calls,
        first_unix_ns; /* -1: no trace */
};
/* The store in figures. 0 or -errno. */
int query_totals(struct query_db *db, struct query_totals *out)
    __attribute__((warn_unused_result));
/* Each kind of loss with its sum over the whole store. */
int query_losses(struct query_db *db,
                 void (*each)(void *context, const char *kind, int64_t count),
                 void *context) __attribute__((warn_unused_result));
