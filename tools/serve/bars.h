/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls of a trace as bars in lanes: loaded once, so that any window of
 * time at any resolution is answered in the time of a glance. A lane is a
 * thread; its rows are so stacked that no two bars of a row overlap.
 */
#pragma once
#include "tools/query/whole/page.h"
#include "tools/query/trace.h"

enum {
    BARS_ROWS = 256, /* of a lane; what is deeper shares the last one */
    BARS_MOST = 4 << 20,
};
enum bar_flag {
    BAR_FAILED = 1,
    BAR_OPEN = 2,
    BAR_UNFINISHED = 4,
};
struct bar {
    int64_t start_ns, end_ns; /* since the trace began; end INT64_MAX: open */
    int64_t ref, parent_ref;
    uint32_t site; /* index into detail->sites, UINT32_MAX unknown */
    uint32_t lane;
    uint16_t row;
    uint8_t flags;
};
struct bar_lane {
    int64_t session, number, generation, process_idx;
    int64_t first_ns; /* when its first call began */
    uint32_t rows;
    int64_t bars, failed;
    size_t first; /* the first of its groups */
};
/* A call that was taken up by another lane, or that names another one. */
struct bar_link {
    size_t from, to; /* bars */
    bool is_named;   /* a link of the span, not its parent */
};
/* A stretch of the critical path: own time of a call, or of a process (lane
 * -1). */
struct bar_stretch {
    int32_t lane, row;
    int64_t from_ns, to_ns;
};
struct bars {
    struct query_trace trace;
    struct query_detail detail;
    struct bar *bar; /* by lane, row, start */
    size_t count;
    struct bar_lane *lane; /* by process, then by their first call */
    size_t lane_count;
    size_t *group; /* where each row of each lane begins, and the end */
    size_t group_count;
    struct bar_link *link; /* by the start of `to` */
    size_t link_count, link_cap;
    struct bar_stretch *path; /* from the end to the begin; bars_path() */
    size_t path_count;
    bool has_path;
    int64_t end_ns; /* of the axis */
    int64_t left_out;
    bool is_final; /* nothing of it changes any more */
};
/* `hex`: the whole id. 0, -ENOENT, -errno. */
int bars_load(struct query_db *db, const char *hex, struct bars *out)
    __attribute__((warn_unused_result));
void bars_free(struct bars *b);
/* The bar of a call; NULL: it is not there. */
const struct bar *bars_find(const struct bars *b, int64_t session, int64_t ref);
/* The same, of which the begin is known: soon, however many there are. */
const struct bar *bars_find_at(const struct bars *b, int64_t session,
                               int64_t ref, int64_t start_ns);
int64_t bars_session(const struct bars *b, const struct bar *bar);

/* The bars of a trace out of a small cache, what still grows as of a second
 * ago at most. NULL: `err` tells. Give it back with bars_release(). From any
 * thread. */
const struct bars *bars_take(struct query_db *db, const char *hex, int *err);
void bars_release(const struct bars *b);
/* Its critical path, found when it is first asked for. 0 or -errno. */
int bars_path(struct query_db *db, const struct bars *b)
    __attribute__((warn_unused_result));
/* The same, for bars that nobody else has. */
int bars_find_path(struct query_db *db, struct bars *b)
    __attribute__((warn_unused_result));
