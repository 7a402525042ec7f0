/* SPDX-License-Identifier: Apache-2.0 */
/* What goes on now: calls that are open, handlers of programs that run. Calls
 * are in the store from 0.2 s after their start on. */
#pragma once
#include "tools/query/db.h"

struct query_live_call {
    char trace[33]; /* hex */
    int64_t session, ref, start_unix_ns;
    int64_t pid, tid;   /* as the process sees them; -1 unknown */
    int64_t overdue_ns; /* the limit of its handler, -1 none */
    bool is_overdue;
    bool is_innermost;                      /* of its thread */
    char *name, *program, *thread, *caller; /* NULL unknown */
};
struct query_live_handler {
    char *name;
    int64_t calls, errors, self_ns, max_ns; /* since the start of the oldest */
    int64_t since_unix_ns;
};
struct query_live {
    struct query_live_call *call;       /* overdue first, then the oldest */
    struct query_live_handler *handler; /* most self time first */
    size_t call_count, handler_count;
    int64_t processes, open, overdue; /* of all, not of those above alone */
};
/* At most `limit` of each. 0 or -errno; then it is empty. */
int query_live_load(struct query_db *db, int64_t limit, struct query_live *out)
    __attribute__((warn_unused_result));
void query_live_free(struct query_live *l);
