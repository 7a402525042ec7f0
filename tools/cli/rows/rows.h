/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of --json (docs/json.md), one object each: what the commands print
 * and the page is told are the same bytes. All return 0 or -errno; what could
 * not be written to `out` is known to its error flag alone.
 */
#pragma once
#include "tools/cli/screen/share.h"
#include "tools/cli/screen/stats.h"
#include "tools/query/errors.h"
#include "tools/query/tree.h"
#include <stdio.h>

/* Of `list`. */
int row_trace(FILE *out, struct query_db *db, const struct query_trace *t)
    __attribute__((warn_unused_result));
/* Of `show`, with the first line. */
int rows_tree(FILE *out, const struct query_trace *t,
              const struct query_detail *d, const struct query_tree *tree)
    __attribute__((warn_unused_result));
/* Of `stats`, with the first line. */
int rows_stats(FILE *out, struct query_db *db, const struct query_trace *t,
               const struct stats *s) __attribute__((warn_unused_result));
/* Of `errors`: a group with its example; and exceptions that were thrown. */
int row_group(FILE *out, struct query_db *db, const struct query_group *g)
    __attribute__((warn_unused_result));
int rows_throws(FILE *out, const struct query_detail *d)
    __attribute__((warn_unused_result));

/* Of `spans`: a call with what its numbers mean. */
struct row_span {
    const struct query_span *span;
    const struct query_site *site;       /* NULL: a process */
    const struct query_session *session; /* these may be NULL */
    const struct query_process *process;
    int64_t tid; /* -1 unknown */
    const char *thread_name, *name;
};
struct row_span row_span_of(const struct query_detail *d,
                            const struct query_span *span);
/* A process is a span as well: what it has beyond others stands in its
 * attributes. Returns what `each` does. */
int row_process(const struct query_detail *d, const struct query_process *p,
                int (*each)(void *context, const struct row_span *r),
                void *context) __attribute__((warn_unused_result));
int row_span(FILE *out, const struct query_trace *t,
             const struct query_detail *d, const struct row_span *r)
    __attribute__((warn_unused_result));
