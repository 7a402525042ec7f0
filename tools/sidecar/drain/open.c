/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans that are open in a lane: shown as long as they are, and stored as what
 * they were when their thread or process ended without ending them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include "tools/sidecar/drain/drain_internal.h"
#include "tools/sidecar/drain/overdue.h"
#include "tools/sidecar/drain/stacks.h"
#include "lane/format/assert.h"

static void span_of_open(struct session *s, uint32_t lane,
                         const struct lane_open *o, struct drain_span *span)
{
    lane_assert(lane < LANE_MAX);
    *span = (struct drain_span){
        .ref = o->span,
        .parent = o->parent,
        .t0 = o->t0_ticks,
        .capture = o->capture,
        .site = LANE_SITE_OF(o->site_kind),
        .context = o->context_depth & 0xffffff,
        .depth = o->context_depth >> 24,
        .process = s->lane[lane].process,
        .generation = s->lane[lane].generation,
        .duration_ns = STORE_NULL,
        .self_ns = STORE_NULL,
        .cpu_ns = STORE_NULL,
        .is_root = (o->site_kind >> 24 & LANE_STATUS_ROOT) != 0,
        .is_part = (o->site_kind & LANE_SITE_PART) != 0,
        .is_lost = (o->site_kind >> 24 & LANE_STATUS_CAPTURE_LOST) != 0,
    };
}

/* A call that its process's end cut short lasted until then. */
static void span_cut(const struct session *s, struct drain_span *span,
                     const struct pending *p, uint64_t end_ticks)
{
    span->duration_ns = clock_until_ns(&s->clock, span->t0, end_ticks);
    span->self_ns = clock_add_ns(span->duration_ns, -p->children_ns);
    if (span->self_ns < 0)
        span->self_ns = 0;
}

/* `end_ticks`: when it ended, if it is not open; 0 not known. */
static int open_store(struct session *s, uint32_t lane,
                      const struct lane_open *o, const char *status,
                      const char *ended_by, uint64_t end_ticks)
{
    lane_assert(status != NULL && lane < LANE_MAX);
    struct drain_span span;
    span_of_open(s, lane, o, &span);
    if (span.site == 0 || span.site >= s->reader.header.site_next ||
        !s->site[span.site].is_known || LANE_REF_COUNTER(span.ref) == 0)
        return 0;
    struct pending *p = pending_get(&s->pending, span.ref);
    if (!p)
        return -ENOMEM;
    bool is_open = strcmp(status, "open") == 0;
    if (is_open && p->is_shown)
        return 0;
    /* where the signal came; those around it are merely unfinished */
    span.died_by =
        is_open ? 0 : session_died_by(session_process_of(s, span.process));
    bool is_fatal = !is_open && stacks_is_fatal(p, span.died_by);
    span.status = is_fatal ? "error" : status;
    span.ended_by = is_fatal ? "signal" : ended_by;
    span.trace = tables_trace(s, &span.context, span.t0);
    if (span.trace < 0)
        return (int)span.trace;
    if (!is_open && end_ticks)
        span_cut(s, &span, p, end_ticks);
    int rc = drain_span_store(s, &span, p);
    if (rc > 0 && span.duration_ns != STORE_NULL)
        rc = drain_span_count(s, &span, p);
    if (rc >= 0 && span.is_root)
        rc = drain_root_store(s, &span);
    /* drain_span_count() may have made a new one: find again */
    p = pending_find(&s->pending, span.ref);
    if (p)
        p->is_shown = is_open;
    s->is_moved = true;
    if (rc >= 0 && !is_open && p)
        pending_drop(&s->pending, p);
    return rc < 0 ? rc : 0;
}

int drain_open(struct session *s, uint32_t lane, uint64_t owner,
               const char *status, const char *ended_by, int64_t age_ns,
               uint64_t now_ticks)
{
    lane_assert(status != NULL && lane < LANE_MAX && age_ns >= 0);
    static struct lane_open open[LANE_OPEN_MAX];
    uint64_t seen = 0;
    int n =
        lane_reader_open_spans(&s->reader, lane, open, LANE_OPEN_MAX, &seen);
    int rc = 0;
    if ((owner && seen != owner) ||
        LANE_OWNER_GENERATION(seen) != s->lane[lane].generation)
        return 0;
    for (int i = n - 1; !age_ns && i >= 0 && rc == 0;
         i--) /* inner ones first */
        rc = open_store(s, lane, &open[i], status, ended_by, now_ticks);
    for (int i = 0; age_ns && i < n && rc == 0; i++) {
        bool is_late = overdue_is(s, &open[i], now_ticks);
        if (!is_late &&
            clock_duration_ns(&s->clock, open[i].t0_ticks, now_ticks) < age_ns)
            continue;
        rc = open_store(s, lane, &open[i], status, ended_by, 0);
        if (rc == 0 && is_late)
            rc = overdue_note(s, lane, open, n, i);
    }
    return rc;
}
