/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the page (tools/serve) asks that no command does: bars of a whole trace,
 * one call, calls by a text, what is open, totals over time. Each is one
 * read transaction; texts live until `each` returns, which must not wait.
 * `each` returns 0 to go on; else that is returned. 0 or -errno.
 */
#pragma once
#include "tools/query/detail.h"

/* Of each call what its bar needs: when, where, below what, status, links.
 * `by_start`: in that order; else in any (sooner; in short transactions, so
 * that a call which arrives meanwhile may be missed). */
int query_bars(struct query_db *db, int64_t trace, bool by_start,
               int (*each)(void *context, const struct query_span *s),
               void *context) __attribute__((warn_unused_result));

/* With its values; not called where it is not there. */
int query_one_span(struct query_db *db, int64_t trace, int64_t session,
                   int64_t ref,
                   int (*each)(void *context, const struct query_span *s),
                   void *context) __attribute__((warn_unused_result));

/* Calls with `text` in a value or an error, the first `limit`. */
int query_find(struct query_db *db, int64_t trace, const char *text,
               int64_t limit,
               int (*each)(void *context, int64_t session, int64_t ref),
               void *context) __attribute__((warn_unused_result));

struct query_open_call {
    char trace[33];
    uint64_t span_id;
    int64_t start_unix_ns, pid, tid; /* -1 unknown */
    int64_t overdue_ns;              /* its limit, -1: none */
    int64_t overdue_at_unix_ns;      /* when it was seen to be, -1 */
    bool is_innermost;               /* nothing below it is open */
    const char *trace_name, *name, *process, *thread, *input;
};
/* Of all traces, those that began first first; at most `limit`. */
int query_open_calls(struct query_db *db, int64_t limit,
                     int (*each)(void *context,
                                 const struct query_open_call *call),
                     void *context) __attribute__((warn_unused_result));

struct query_total {
    int64_t start_unix_ns; /* of its trace */
    int64_t calls, errors, total_ns, self_ns, max_ns;
    const char *name, *histogram;
};
/* By handler and trace, of traces that began in [since, until). `program`: a
 * glob, NULL: any. */
int query_handler_totals(struct query_db *db, int64_t since_unix_ns,
                         int64_t until_unix_ns, const char *program,
                         int (*each)(void *context,
                                     const struct query_total *t),
                         void *context) __attribute__((warn_unused_result));
