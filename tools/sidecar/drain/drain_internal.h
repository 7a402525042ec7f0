/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the drain: drain.c (items of the lanes), span_row.c (a span's row),
 * process_row.c (a process's), begun.c (spans of two calls). */
#pragma once
#include "tools/sidecar/session/session.h"

/* A span on its way into the store. */
struct drain_span {
    uint64_t ref, parent, t0;
    uint64_t capture; /* as in its record; of one with a value what stood there
                         else */
    uint64_t value;   /* has_value: of its only output */
    uint32_t site, context, depth, process, generation;
    int64_t trace;
    int64_t duration_ns, self_ns, cpu_ns; /* STORE_NULL: unknown */
    const char *status, *ended_by;
    int died_by; /* signal that ended its process, unseen from inside; or 0 */
    bool is_root;
    bool is_apart; /* its time is not part of its parent's */
    bool is_deep;  /* the counters have its numbers */
    bool is_part;  /* a call that it made has no record */
    bool is_lost;  /* its writer had no room for values */
    bool has_value;
    bool is_kept; /* from beside the log: it may be stored already */
};

/* Why the values are missing that its record (or the site, of what was lost)
 * promises and that no frame brought; NULL: none are. lost.c */
void lost_find(const struct session *session, const struct drain_span *span,
               const struct pending *pending, struct decode_context *context);

/* Its row. Rows changed (0: a final one is there already), or -errno. */
int drain_span_store(struct session *session, const struct drain_span *span,
                     const struct pending *pending);
/* A record, of its lane's log or (`is_kept`) of those beside it. 0 or -errno.
 */
int drain_record(struct session *session, uint32_t lane,
                 const struct lane_record *record, bool is_kept);
/* Records beside the log that are new; and those whose turn it is. 0 or -errno.
 * (kept.c) */
int kept_look(struct session *session, uint32_t lane)
    __attribute__((warn_unused_result));
int kept_take(struct session *session, uint32_t lane)
    __attribute__((warn_unused_result));
/* Those that a dead thread's log, read to its end, never came to: their places
 * were damaged. They are counted as corrupt, their slots given back. */
void kept_drop(struct session *session, uint32_t lane);
/* The trace that this handler is the root of. 0 or -errno. */
int drain_root_store(struct session *session, const struct drain_span *span);
/* An ended one into the totals, and its time into what its parent's children
 * took. 0 or -errno. */
int drain_span_count(struct session *session, const struct drain_span *span,
                     const struct pending *pending);
/* A span began that another call will end. 0 or -errno. */
int begun_take(struct session *session, const struct lane_log_item *item);
/* The place `index` of the table of processes is gone, and all that it wrote
 * was read: its row is closed, its trace gets what follows from that, its place
 * may be given back. 0 or -errno. */
int drain_process_end(struct session *session, uint32_t index)
    __attribute__((warn_unused_result));
