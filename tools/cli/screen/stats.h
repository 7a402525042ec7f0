/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of `handspan stats`, also of the end summary of `run`. */
#pragma once
#include "tools/cli/screen/view.h"
#include "tools/query/tree.h"

struct stats_bucket {
    int64_t middle_ns, count;
};
struct stats_row {
    const char *name; /* of the detail, or static */
    int64_t calls, errors, total_ns, self_ns, cpu_ns, max_ns, dropped_calls;
    int64_t slow_calls, untimed_calls, loose_calls;
    int64_t critical_ns; /* its own time on the critical path; where calls have
                            no span they count as their callers' */
    int64_t cpu_unknown; /* outermost calls whose CPU time is not known */
    int64_t after_calls, after_ns; /* as of query_node, in all */
    const char *after;             /* what had returned; NULL */
    int64_t p50_ns, p95_ns;
    struct stats_bucket *buckets; /* ascending; owned */
    size_t bucket_count;
    bool is_cpu_known;
    bool is_cpu_nested; /* until stats_load() has taken that away */
    bool is_estimate;   /* total and self; at most so much, but of the rest */
    bool is_rest;       /* (no handler) */
    bool is_loading;    /* (loading); calls: processes */
};
struct stats {
    struct query_detail detail;
    struct stats_row
        *rows; /* by self, most first; (loading) and (no handler) last */
    size_t count, cap;
    int64_t wall_ns, thread_count, min_ns, max_ns, span_count;
    int64_t dropped_top_ns, top_cpu_ns; /* of the rollups */
    int64_t loading_cpu_ns;
    bool is_top_known;
};
/* 0 or -errno. */
int stats_load(struct view *v, const struct query_trace *t, struct stats *out)
    __attribute__((warn_unused_result));
void stats_free(struct stats *s);
/* By item of a tree: the time of its children on its thread. Shape: item_count;
 * the caller's. NULL: no memory. */
int64_t *stats_below(const struct query_tree *tree);
/* Calls without a record, in all. */
int64_t stats_dropped(const struct stats *s);
/* Counts of calls on a log scale from low to high; ends take what is beyond. */
void stats_cells(const struct stats_row *row, int64_t low_ns, int64_t high_ns,
                 int64_t *cells, int count);
