/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spans of a trace as a tree, aggregated by (path of names, name), and
 * what can be said of it: outermost totals, the critical path, who worked when.
 */
#pragma once
#include "tools/query/detail.h"

#define QUERY_NONE UINT32_MAX

enum query_node_kind {
    QUERY_NODE_PROCESS,
    QUERY_NODE_HANDLER,
    QUERY_NODE_LOADING, /* from exec to the first moment of a handler */
    QUERY_NODE_ORPHANS, /* pseudo node above spans whose parent is unknown */
};
enum {
    QUERY_REASONS = 3
};
struct query_reason {
    char *text; /* one line */
    int64_t count;
};
struct query_node {
    uint32_t parent, first_child, next; /* nodes, QUERY_NONE; by first start */
    enum query_node_kind kind;
    uint32_t depth;
    const char *name;
    int64_t calls, errors, unfinished, open; /* open: still runs */
    int64_t execs; /* of the unfinished: their process became another program */
    int64_t total_ns, cpu_ns; /* of outermost activations; cpu -1 unknown */
    int64_t self_ns, max_ns, failed_ns, queue_ns;
    int64_t first_start_ns, critical_ns; /* with all below it */
    /* calls on another thread, or processes, that went on when the call that
     * they hang from had returned, and how long: its time is not theirs */
    int64_t after_calls, after_ns;
    const char *after; /* what had returned; NULL */
    uint32_t example;  /* a span of it */
    bool is_recursive, is_critical, has_handler_below;
    struct query_reason reasons[QUERY_REASONS]; /* of errors; why orphans */
};

enum {
    QUERY_SPAN_ERROR = 1,
    QUERY_SPAN_OPEN = 2,       /* still runs */
    QUERY_SPAN_UNFINISHED = 4, /* never ended */
    QUERY_SPAN_NESTED = 8,     /* below an activation of the same handler */
    QUERY_SPAN_FOLDED = 16,    /* on a path that was folded by recursion */
    QUERY_SPAN_VISITED = 32,
    QUERY_SPAN_NO_END = 64,  /* it has no duration: no rollup counts it */
    QUERY_SPAN_ORPHAN = 128, /* nobody knows whose work it is */
    QUERY_SPAN_LOADING = 256,
    QUERY_SPAN_EXEC = 512, /* unfinished, as its process became another one */
};
struct query_item { /* a span, a process, or its loading (ref 0) */
    int64_t start_ns, end_ns, cpu_ns, queue_ns, ref;
    uint32_t session; /* index into detail->sessions */
    uint32_t parent;  /* item, QUERY_NONE */
    uint32_t node;
    uint32_t flags;
};
struct query_tree {
    const struct query_detail *detail; /* must outlive the tree */
    struct query_node *nodes;
    struct query_item *items;
    size_t node_count, item_count, node_cap, item_cap;
    uint32_t first_root;
    int64_t start_ns, end_ns;                 /* the time axis */
    int64_t span_count, orphan_count, top_ns; /* top_ns: time in which at least
                                                 one handler was open */
    int64_t top_cpu_ns;
    int64_t loading_ns; /* in which something was loaded and no handler open */
    int64_t outside_count; /* processes that hang from a span of a TRACEPARENT
                              that is not in this store */
    bool is_single;        /* each span a node of its own */
};

/*
 * Load and build. `now_unix_ns` is where bars of what still runs end. With
 * `single` nothing is aggregated. 0 or -errno (-E2BIG: more than 2^31 spans).
 */
int query_tree_load(struct query_db *db, const struct query_trace *trace,
                    const struct query_detail *detail, int64_t now_unix_ns,
                    bool single, struct query_tree *out)
    __attribute__((warn_unused_result));
void query_tree_free(struct query_tree *t);

/* Did this item (of the same thread) begin when its parent had returned, as the
 * handlers of an event loop that carry context to each other? Then its time is
 * not in the parent's. */
bool query_tree_is_after(const struct query_tree *t, uint32_t item,
                         uint32_t parent);

/* The critical path in stretches, each the own time of an item, from the end of
 * the trace to its begin. 0 or -ENOMEM. */
int query_tree_critical_path(struct query_tree *t,
                             void (*each)(void *context, uint32_t item,
                                          int64_t from_ns, int64_t to_ns),
                             void *context) __attribute__((warn_unused_result));

/* A cell of a bar: nanoseconds of activity in it. */
struct query_cell {
    float active_ns, cpu_ns, queue_ns, unknown_ns;
    bool is_touched;
};
/* Shape (node_count, cells), row after row; caller frees. With `failed`, of
 * failed spans only. NULL: no memory. */
struct query_cell *query_tree_bars(const struct query_tree *t, int cells,
                                   bool failed);

/* One row of it, of a tree in which each span is a node, into `out` (`cells` of
 * them): a million rows need not be there at once. */
void query_tree_bar(const struct query_tree *t, uint32_t node, int cells,
                    bool failed, struct query_cell *out);

/* An error object of the store as one line for people: "return -2 (ENOENT);
 * first cause open("/data/x.csv"), load.c:42". `is_long`: a line that may wrap,
 * with "= ENOENT, in load_csv at load.c:42". Appends to `b`. */
struct buf;
void query_error_line(const char *error_json, bool is_long, struct buf *b);
