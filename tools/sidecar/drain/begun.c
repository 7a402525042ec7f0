/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans that begin in one function and end in another. Their record comes
 * from the end; until then the frame that their begin wrote is kept, and their
 * row is open. When the process is gone, it is unfinished.
 */
#define _GNU_SOURCE
#include <string.h>
#include "lane/format/ids.h"
#include "tools/sidecar/drain/drain_internal.h"
#include "lane/format/assert.h"

const char *drain_end_name(uint32_t end)
{
    static const char *const names[] = {
        [LANE_END_RETURN] = "return",   [LANE_END_EXCEPTION] = "exception",
        [LANE_END_CANCEL] = "cancel",   [LANE_END_LONGJMP] = "longjmp",
        [LANE_END_EXIT] = "exit",       [LANE_END_EXEC] = "exec",
        [LANE_END_SIGNAL] = "signal",   [LANE_END_KILLED] = "killed",
        [LANE_END_UNKNOWN] = "unknown", [LANE_END_EVENT] = "event",
    };
    return end < sizeof names / sizeof *names ? names[end] : "unknown";
}

/* A span from begin to end, as long as it has not ended. */
static int begun_store(struct session *s, const struct pending *p,
                       const char *status, const char *ended_by,
                       uint64_t end_ticks)
{
    lane_assert(p->frame[LANE_FRAME_BEGIN].payload != NULL);
    const struct pending_frame *f = &p->frame[LANE_FRAME_BEGIN];
    uint32_t lane = LANE_REF_LANE(p->ref);
    struct lane_frame_begin begin;
    memcpy(&begin, f->payload, sizeof begin);
    struct drain_span span = {
        .ref = p->ref,
        .parent = begin.parent,
        .t0 = begin.t0_ticks,
        .site = f->site,
        .context = begin.context,
        .process = begin.process,
        .generation = lane < LANE_MAX ? s->lane[lane].generation : 0,
        .duration_ns = STORE_NULL,
        .self_ns = STORE_NULL,
        .cpu_ns = STORE_NULL,
        .status = status,
        .ended_by = ended_by,
    };
    span.trace = tables_trace(s, &span.context, span.t0);
    if (end_ticks)
        span.duration_ns = span.self_ns =
            clock_until_ns(&s->clock, span.t0, end_ticks);
    int rc = span.trace < 0 ? (int)span.trace : drain_span_store(s, &span, p);
    if (rc > 0 && end_ticks)
        rc = drain_span_count(s, &span, p);
    s->is_moved = true;
    return rc < 0 ? rc : 0;
}

int begun_take(struct session *s, const struct lane_log_item *item)
{
    lane_assert(item->type == LANE_ITEM_FRAME && item->frame != NULL);
    const struct lane_frame *f = item->frame;
    struct lane_frame_begin begin;
    if (f->payload_bytes < sizeof begin || LANE_REF_COUNTER(f->span) == 0) {
        s->corrupt++;
        return 0;
    }
    memcpy(&begin, item->payload, sizeof begin);
    int known = session_knows_site(s, f->site);
    if (known < 0)
        return known;
    if (!known) {
        s->corrupt++;
        return 0;
    }
    int rc = pending_put_frame(&s->pending, f->span, f->kind, 0, f->site,
                               &begin, sizeof begin);
    if (rc != 0)
        return rc;
    return begun_store(s, pending_find(&s->pending, f->span), "open", NULL, 0);
}

struct ending {
    struct session *s;
    uint32_t process;
    const char *ended_by;
    uint64_t end_ticks;
    int rc;
};

static void begun_end(struct pending *p, void *with)
{
    struct ending *ending = with;
    const struct pending_frame *f = &p->frame[LANE_FRAME_BEGIN];
    struct lane_frame_begin begin;
    if (!f->payload || ending->rc != 0)
        return;
    memcpy(&begin, f->payload, sizeof begin);
    if (begin.process != ending->process)
        return;
    ending->rc = begun_store(ending->s, p, "unfinished", ending->ended_by,
                             ending->end_ticks);
    pending_drop(&ending->s->pending, p);
}

int drain_begun(struct session *s, uint32_t process, const char *ended_by,
                uint64_t end_ticks)
{
    struct ending ending = {s, process, ended_by, end_ticks, 0};
    pending_each(&s->pending, begun_end, &ending);
    return ending.rc;
}
