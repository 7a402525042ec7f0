/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items of the lanes to spans of the store. A record finds here what came
 * before it: its frames, and the time of its children (their records precede
 * its own in the same lane).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include "lane/format/utf8.h"
#include "tools/sidecar/drain/attribute.h"
#include "tools/sidecar/drain/drain_internal.h"
#include "tools/sidecar/session/gap.h"
#include "tools/sidecar/drain/stacks.h"
#include "lane/format/assert.h"

enum {
    STUCK_NS = 1000000000, /* an item stays uncommitted: it is damaged */
    YIELD_ITEMS =
        64, /* of these one after the other, then others may go first */
    BUSY_BYTES = 64 << 10, /* so much new: there may be more than we can take */
};

/* ---- records ------------------------------------------------------------ */

static bool record_is_sane(const struct session *s, const struct lane_record *r)
{
    return r->t1_ticks >= r->t0_ticks &&
           LANE_REF_LANE(r->span) < s->reader.header.lane_next &&
           LANE_REF_COUNTER(r->span) != 0;
}

static const char *status_of(uint32_t status)
{
    uint32_t end = status & 15;
    if (status & LANE_STATUS_ERROR)
        return "error";
    return end >= LANE_END_SIGNAL && end <= LANE_END_UNKNOWN ? "unfinished"
                                                             : "ok";
}

static int total_add(struct session *s, const struct drain_span *span,
                     const struct pending *p)
{
    lane_assert(span->site != 0 && span->site < LANE_SITE_MAX);
    lane_assert(span->duration_ns >= 0);
    if (totals_full(&s->totals)) {
        int rc = totals_flush(&s->totals, s->store, s->id);
        if (rc != 0)
            return rc;
    }
    struct total *t = totals_get(&s->totals, span->trace, span->site);
    if (!t)
        return -ENOMEM;
    if (span->is_deep) { /* counted without a record */
        t->dropped--;
        return 0;
    }
    t->calls++;
    t->errors += strcmp(span->status, "error") == 0;
    struct pending_inner inner = pending_inner_of(p, span->context, span->site);
    t->total_ns =
        clock_add_ns(t->total_ns, clock_add_ns(span->duration_ns, -inner.ns));
    t->self_ns = clock_add_ns(t->self_ns, span->self_ns);
    int64_t slow_ns = s->site[span->site].slow_ns;
    t->slow += slow_ns && span->duration_ns > slow_ns;
    if (span->duration_ns > t->max_ns)
        t->max_ns = span->duration_ns;
    if (span->cpu_ns != STORE_NULL)
        t->cpu_ns = clock_add_ns(t->cpu_ns, span->cpu_ns - inner.cpu_ns);
    else
        t->cpu_unknown++;
    if (span->depth == 0 && !span->is_apart)
        t->top_ns = clock_add_ns(t->top_ns, span->duration_ns);
    /* also of one that goes on with another one's work: none runs around it */
    if (span->depth == 0 && span->cpu_ns != STORE_NULL)
        t->top_cpu_ns = clock_add_ns(t->top_cpu_ns, span->cpu_ns);
    t->histogram[lane_histogram_bucket((uint64_t)span->duration_ns)]++;
    return 0;
}

/* Its time is not the parent's own; nor twice in a recursive one's total. */
static int parent_add(struct session *s, const struct drain_span *span,
                      const struct pending *p)
{
    lane_assert(span->duration_ns >= 0);
    uint32_t lane = LANE_REF_LANE(span->ref);
    if (span->is_root || span->is_apart || span->is_deep ||
        LANE_REF_LANE(span->parent) != lane)
        return 0;
    struct pending *parent = pending_get(&s->pending, span->parent);
    if (!parent)
        return -ENOMEM;
    struct pending_inner own = {span->context, span->site, span->duration_ns,
                                span->cpu_ns == STORE_NULL ? 0 : span->cpu_ns};
    pending_add_child(parent, p, &own);
    return 0;
}

int drain_span_count(struct session *s, const struct drain_span *span,
                     const struct pending *p)
{
    int rc = total_add(s, span, p);
    bool is_outermost =
        LANE_REF_LANE(span->parent) != LANE_REF_LANE(span->ref) ||
        span->is_apart;
    if (rc == 0 && span->context != 0 && !span->is_root && is_outermost)
        rc = work_add(
            &s->work, s->store, span->trace,
            clock_add_ns(clock_unix_ns(&s->clock, span->t0), span->duration_ns),
            strcmp(span->status, "error") == 0);
    return rc == 0 ? parent_add(s, span, p) : rc;
}

static void span_of_record(struct session *s, uint32_t lane,
                           const struct lane_record *r, struct drain_span *span)
{
    lane_assert(lane < LANE_MAX);
    uint32_t status = r->site_status >> 24;
    uint32_t opener = LANE_REF_LANE(r->span);
    bool has_value = (r->site_status & LANE_SITE_VALUE) != 0;
    bool has_input = (r->site_status & LANE_SITE_INPUT) != 0;
    *span = (struct drain_span){
        .ref = r->span,
        .parent = r->parent,
        .t0 = r->t0_ticks,
        .capture = !has_value  ? r->capture
                   : has_input ? LANE_FIRST_POSITION
                               : 0,
        .value = r->capture,
        .has_value = has_value,
        .site = LANE_SITE_OF(r->site_status),
        .context = r->context_depth & 0xffffff,
        .depth = r->context_depth >> 24,
        .process = s->lane[lane].process,
        .generation = s->lane[opener].is_open ? s->lane[opener].generation
                                              : s->lane[lane].generation,
        .duration_ns = clock_duration_ns(&s->clock, r->t0_ticks, r->t1_ticks),
        .cpu_ns = r->cpu_ns == LANE_CPU_UNKNOWN || r->cpu_ns > INT64_MAX
                      ? STORE_NULL
                      : (int64_t)r->cpu_ns,
        .status = status_of(status),
        .ended_by = drain_end_name(status & 15),
        .is_root = (status & LANE_STATUS_ROOT) != 0,
        .is_apart = (status & LANE_STATUS_APART) != 0,
        .is_deep = (r->site_status & LANE_SITE_DEEP) != 0,
        .is_part = (r->site_status & LANE_SITE_PART) != 0,
        .is_lost = (status & LANE_STATUS_CAPTURE_LOST) != 0,
    };
}

int drain_record(struct session *s, uint32_t lane, const struct lane_record *r,
                 bool is_kept)
{
    lane_assert(lane < s->reader.header.lane_next);
    struct drain_span span;
    int known = session_knows_site(s, LANE_SITE_OF(r->site_status));
    if (known < 0)
        return known;
    if (!known || !record_is_sane(s, r)) {
        s->corrupt++;
        return 0;
    }
    span_of_record(s, lane, r, &span);
    span.is_kept = is_kept;
    span.trace = tables_trace(s, &span.context, r->t0_ticks);
    if (span.trace < 0)
        return (int)span.trace;
    struct session_process *process = session_process_of(s, span.process);
    if (process && r->t1_ticks > process->last_ticks)
        process->last_ticks = r->t1_ticks;
    struct pending *p = pending_find(&s->pending, span.ref);
    /* the program's own handler of a fatal signal ends it by exit() */
    if ((r->site_status >> 24 & 15) == LANE_END_EXIT && stacks_is_fatal(p, 0))
        span.status = "error";
    span.self_ns = clock_add_ns(span.duration_ns, p ? -p->children_ns : 0);
    if (span.self_ns < 0)
        span.self_ns = 0;
    int rc = drain_span_store(s, &span, p);
    if (rc == 0) {
        s->corrupt++; /* a final span with this reference is there already */
        return 0;
    }
    if (rc > 0)
        rc = drain_span_count(s, &span, p);
    if (rc == 0 && span.is_root)
        rc = drain_root_store(s, &span);
    /* drain_span_count() may have made a new one: find again */
    p = pending_find(&s->pending, span.ref);
    if (p)
        pending_drop(&s->pending, p);
    return rc;
}

/* ---- frames ------------------------------------------------------------- */

static int thread_take(struct session *s, uint32_t lane,
                       const struct lane_log_item *item)
{
    lane_assert(lane < LANE_MAX && item->type == LANE_ITEM_FRAME);
    struct lane_frame_thread thread;
    char name[LANE_NAME_BYTES * UTF8_GROWTH + 1];
    if (item->frame->payload_bytes < sizeof thread) {
        s->corrupt++;
        return 0;
    }
    memcpy(&thread, item->payload, sizeof thread);
    s->lane[lane].generation = thread.generation;
    s->lane[lane].process = thread.process;
    utf8_clean(thread.name, strnlen(thread.name, sizeof thread.name), name,
               sizeof name, NULL);
    int rc = store_run(s->store, STORE_THREAD_SET, "iiiiit", s->id,
                       (int64_t)lane, (int64_t)thread.generation,
                       (int64_t)thread.process, (int64_t)thread.tid, name);
    return rc < 0 ? rc : 0;
}

static int frame_take(struct session *s, uint32_t lane,
                      const struct lane_log_item *item)
{
    lane_assert(lane < LANE_MAX && item->type == LANE_ITEM_FRAME);
    const struct lane_frame *f = item->frame;
    switch (f->kind) {
    case LANE_FRAME_THREAD:
        return thread_take(s, lane, item);
    case LANE_FRAME_INPUT:
    case LANE_FRAME_OUTPUT:
    case LANE_FRAME_ERROR:
    case LANE_FRAME_QUEUE:
    case LANE_FRAME_LINK:
    case LANE_FRAME_ORPHAN:
    case LANE_FRAME_LATER:
        if (LANE_REF_COUNTER(f->span) == 0) {
            s->corrupt++;
            return 0;
        }
        return pending_put_frame(&s->pending, f->span, f->kind, f->count,
                                 f->site, item->payload, f->payload_bytes);
    case LANE_FRAME_STACK:
    case LANE_FRAME_THROW:
    case LANE_FRAME_CAUSE:
    case LANE_FRAME_STDERR:
        return stacks_take(s, lane, item);
    case LANE_FRAME_BEGIN:
        return begun_take(s, item);
    case LANE_FRAME_ATTRIBUTE:
        return attribute_take(&s->pending, item);
    default:
        return 0; /* of a later minor version */
    }
}

/* ---- lanes -------------------------------------------------------------- */

static int opener_drain(struct session *s, uint32_t lane, uint64_t t0);

/* No item is committed where one is reserved. Its writer may be just doing it;
 * not if the lane is dead, or went on for long without it. */
static bool is_stuck(struct session_lane *l, int64_t now_ns)
{
    if (l->stuck_at != l->log.position) {
        l->stuck_at = l->log.position;
        l->stuck_since_ns = now_ns;
        l->stuck_end = l->log.head.position;
        return false;
    }
    /* a process that is stopped stops in mid-item, too: has it gone on? */
    return l->log.head.position != l->stuck_end &&
           now_ns - l->stuck_since_ns > STUCK_NS;
}

static int item_take(struct session *s, uint32_t lane,
                     const struct lane_log_item *item)
{
    lane_assert(item->type == LANE_ITEM_RECORD ||
                item->type == LANE_ITEM_FRAME);
    if (item->type != LANE_ITEM_RECORD)
        return frame_take(s, lane, item);
    uint32_t opener = LANE_REF_LANE(item->record->span);
    int rc = 0;
    if (opener != lane)
        rc = opener_drain(s, opener, item->record->t0_ticks);
    return rc < 0 ? rc : drain_record(s, lane, item->record, false);
}

/*
 * A span that was opened in another lane (a fiber moved): its frames stand
 * there. Take what that lane has from before `t0`: all before its first record
 * that ended later. That this ends, and never comes back to a lane that it
 * comes from: each step goes to what happened earlier.
 */
static int opener_drain(struct session *s, uint32_t lane, uint64_t t0)
{
    struct session_lane *l = &s->lane[lane];
    struct lane_log_item item;
    int rc = 0;
    if (lane >= s->reader.header.lane_next || l->lost || l->is_draining)
        return 0;
    lane_assert(lane < LANE_MAX);
    if (!l->is_open)
        rc = session_begin_lane(s, lane);
    if (rc != 0 || lane_log_look(&l->log) != 0)
        return rc;
    l->is_draining = true;
    while (rc == 0) {
        uint64_t position = l->log.position;
        int got = lane_log_next(&l->log, &item);
        if (got == -ENOMEM)
            rc = got;
        if (got <= 0)
            break; /* its own turn sees to what is wrong */
        if (item.type == LANE_ITEM_RECORD && item.record->t1_ticks > t0) {
            l->log.position = position;
            break;
        }
        rc = item_take(s, lane, &item);
        if (rc == -EINPROGRESS)
            l->log.position = position;
        else
            s->is_moved = true;
    }
    l->is_draining = false;
    lane_log_rest(&l->log);
    return rc < 0 ? rc : 0;
}

static int lane_items(struct session *s, uint32_t lane, uint32_t most,
                      int64_t now_ns)
{
    lane_assert(lane < LANE_MAX && most != 0);
    lane_assert(s->lane[lane].is_open && !s->lane[lane].lost);
    struct session_lane *l = &s->lane[lane];
    struct lane_log_item item;
    uint32_t n = 0;
    while (n < most) {
        uint64_t position = l->log.position;
        if (n % YIELD_ITEMS == 0)
            spool_yield();
        int rc = l->kept_count ? kept_take(s, lane) : 0;
        if (rc == -EINPROGRESS) {
            l->is_waiting = true;
            break;
        }
        if (rc < 0)
            return rc;
        int got = lane_log_next(&l->log, &item);
        if (got == -ENOMEM)
            return got;
        if (got == 0 && lane_log_at_end(&l->log))
            break;
        rc = got <= 0 ? gap_skip(s, lane) : 0;
        if (rc < 0)
            return rc;
        if (l->log.position != position && got <= 0)
            continue;
        if (got <= 0) {
            if (got == 0 && !is_stuck(l, now_ns))
                break;
            if (lane_log_skip(&l->log) != 0)
                return -ENOMEM;
            s->corrupt++;
            s->is_moved = true;
            continue;
        }
        rc = item_take(s, lane, &item);
        if (rc == -EINPROGRESS) {
            l->log.position = position;
            l->is_waiting = true;
            break;
        }
        if (rc < 0)
            return rc;
        n++;
    }
    if (n)
        s->is_moved = true;
    return (int)n;
}

int drain_lane(struct session *s, uint32_t lane, uint32_t most, int64_t now_ns)
{
    struct session_lane *l = &s->lane[lane];
    l->is_waiting = false;
    if (l->lost)
        return 0;
    if (lane_log_look(&l->log) != 0) {
        l->lost = true;
        s->corrupt++;
        s->is_moved = true;
        return 0;
    }
    int rc = kept_look(s, lane);
    if (rc != 0 || session_lane_is_read(l))
        return rc;
    if (l->log.head.position - l->log.position >= BUSY_BYTES)
        spool_wake(true);
    l->is_draining = true;
    rc = lane_items(s, lane, most, now_ns);
    l->is_draining = false;
    lane_log_rest(&l->log);
    return rc;
}
