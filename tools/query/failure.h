/* SPDX-License-Identifier: Apache-2.0 */
/* Why a trace failed, in one line, and whether calls in it were overdue. */
#pragma once
#include "tools/query/trace.h"

struct query_failure {
    /* "extract: return -2 (ENOENT); first cause open(...)", of the call or the
     * process that was the first to fail; NULL: the trace did not fail, or
     * how it ended is all that is known */
    char *reason;
    int64_t overdue; /* calls that were open for longer than their limit */
    char *late; /* the first of them: "call: overdue("30s"): waiting ..." */
};
/* Owned by the caller, also on failure (then empty). 0 or -errno. */
int query_failure_load(struct query_db *db, const struct query_trace *t,
                       struct query_failure *out)
    __attribute__((warn_unused_result));
void query_failure_free(struct query_failure *f);

/* The first call of the programs of this trace (32 hex digits) that was found
 * to be overdue since then: the trace that it is in, and `line` as `late` above
 * (the caller's). 1 there is one, 0 none (yet), -errno. */
int query_overdue_first(struct query_db *db, const char *trace,
                        int64_t since_unix_ns, char hex[33], char **line)
    __attribute__((warn_unused_result));
