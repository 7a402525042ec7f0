/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that left no record, and other losses. The session's counters grow, but
 * for what a call takes from its caller's; what of them is in the totals
 * already is kept in counter_cursors, in the same transaction. Such calls are
 * of no known trace: they are added to that of the session's process.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "tools/sidecar/session/session.h"
#include "tools/sidecar/session/spool.h"
#include "lane/format/assert.h"

static int counted_load(struct session *s, uint32_t index)
{
    lane_assert(index != 0 && index < LANE_SITE_MAX);
    struct session_site *site = &s->site[index];
    if (!site->counted)
        site->counted = calloc(1, sizeof *site->counted);
    if (!site->counted)
        return -ENOMEM;
    lane_assert(!site->counted_known);
    int rc =
        store_start(s->store, STORE_COUNTER_GET, "ii", s->id, (int64_t)index);
    while (rc > 0) {
        size_t len;
        const void *blob = store_blob(s->store, STORE_COUNTER_GET, 0, &len);
        if (len == sizeof *site->counted)
            memcpy(site->counted, blob, len);
        site->counted_stored = len == sizeof *site->counted;
        rc = store_next(s->store, STORE_COUNTER_GET);
    }
    site->counted_known = rc == 0;
    return rc;
}

static int64_t to_ns(const struct session *s, uint64_t ticks)
{
    return clock_to_ns((double)ticks * clock_rate(&s->clock));
}

static int64_t grown(uint64_t now, uint64_t before)
{
    return now > before ? (int64_t)(now - before) : 0;
}

/* Of a word that may also have become less. */
static int64_t changed_ns(const struct session *s, uint64_t now,
                          uint64_t before)
{
    int64_t by = (int64_t)(now - before);
    return by < 0 ? -to_ns(s, (uint64_t)-by) : to_ns(s, (uint64_t)by);
}

static void add_figures(const struct session *s, struct total *t,
                        const struct lane_counter *now,
                        const struct lane_counter *before)
{
    int64_t top = to_ns(s, (uint64_t)grown(now->top_ticks, before->top_ticks));
    t->self_ns = clock_add_ns(
        t->self_ns, changed_ns(s, now->self_ticks, before->self_ticks));
    t->top_ns = clock_add_ns(t->top_ns, top);
    t->dropped_top_ns = clock_add_ns(t->dropped_top_ns, top);
    t->cpu_ns = clock_add_ns(t->cpu_ns, grown(now->cpu_ns, before->cpu_ns));
    t->top_cpu_ns =
        clock_add_ns(t->top_cpu_ns, grown(now->top_cpu_ns, before->top_cpu_ns));
    t->cpu_unknown += grown(now->cpu_unknown, before->cpu_unknown);
    t->untimed += (int64_t)(now->untimed - before->untimed);
    t->loose += grown(now->loose, before->loose);
    t->slow += grown(now->slow, before->slow);
}

static void add_to_total(const struct session *s, struct total *t,
                         const struct lane_counter *now,
                         const struct lane_counter *before)
{
    lane_assert(t != NULL);
    int64_t calls = grown(now->calls, before->calls);
    int64_t most = to_ns(s, now->max_ticks);
    t->calls += calls;
    t->dropped += calls;
    t->errors += grown(now->errors, before->errors);
    t->total_ns = clock_add_ns(
        t->total_ns,
        to_ns(s, (uint64_t)grown(now->total_ticks, before->total_ticks)));
    if (most > t->max_ns)
        t->max_ns = most;
    add_figures(s, t, now, before);
    for (uint32_t i = 0; i < LANE_HISTOGRAM_BUCKETS; i++) {
        uint32_t more = now->histogram[i] - before->histogram[i];
        int64_t middle = to_ns(s, lane_histogram_middle(i));
        lane_assert(middle >= 0 && lane_histogram_bucket((uint64_t)middle) <
                                       LANE_HISTOGRAM_BUCKETS);
        if (more)
            t->histogram[lane_histogram_bucket((uint64_t)middle)] += more;
    }
}

static int loss_set(struct session *s, uint32_t site, const char *kind,
                    uint64_t count)
{
    lane_assert(kind != NULL && site < LANE_SITE_MAX);
    if (count == 0)
        return 0;
    int rc = store_run(s->store, STORE_LOSS_SET, "iiti", s->id, (int64_t)site,
                       kind, (int64_t)count);
    return rc < 0 ? rc : 0;
}

/* What is in the totals, if it is still what we took it for. */
static int counter_move(struct session *s, uint32_t index,
                        const struct lane_counter *now)
{
    lane_assert(index != 0 && index < LANE_SITE_MAX);
    struct session_site *site = &s->site[index];
    int rc = site->counted_stored
                 ? store_run(s->store, STORE_COUNTER_MOVE, "iibb", s->id,
                             (int64_t)index, (const void *)now, sizeof *now,
                             (const void *)site->counted, sizeof *now)
                 : store_run(s->store, STORE_COUNTER_ADD, "iib", s->id,
                             (int64_t)index, (const void *)now, sizeof *now);
    site->counted_stored = true;
    return rc == 0 ? -EALREADY : rc;
}

static int counter_store(struct session *s, uint32_t index,
                         const struct lane_counter *now)
{
    lane_assert(index != 0 && index < LANE_SITE_MAX);
    struct session_site *site = &s->site[index];
    uint32_t context = 0;
    int64_t trace = tables_trace(s, &context, 0);
    if (trace < 0)
        return (int)trace;
    struct total *t = totals_get(&s->totals, trace, index);
    if (!t)
        return -ENOMEM;
    add_to_total(s, t, now, site->counted);
    int rc = counter_move(s, index, now);
    if (rc >= 0)
        rc = loss_set(
            s, index, "lost_records",
            (uint64_t)grown(now->calls, now->over_deep + now->untimed));
    if (rc >= 0)
        rc = loss_set(s, index, "lost_captures", now->lost_captures);
    if (rc >= 0)
        rc = loss_set(s, index, "over_deep", now->over_deep);
    if (rc >= 0)
        rc = loss_set(s, index, "unmatched", now->unmatched);
    if (rc >= 0)
        rc = loss_set(s, index, "no_frame", now->no_frame);
    if (rc >= 0)
        rc = loss_set(s, index, "untimed", now->untimed);
    if (rc >= 0)
        rc = loss_set(s, index, "loose", now->loose);
    s->has_lost |= now->lost_captures != 0 ||
                   grown(now->calls, now->over_deep + now->untimed) != 0;
    *site->counted = *now;
    s->is_moved = true;
    return rc < 0 ? rc : 0;
}

static int site_counter(struct session *s, uint32_t index)
{
    lane_assert(index != 0 && index < LANE_SITE_MAX);
    struct session_site *site = &s->site[index];
    struct lane_counter now;
    int rc = lane_reader_entry(&s->reader, LANE_TABLE_COUNTERS, index, &now);
    if (rc != 0)
        return rc;
    if (now.calls == 0 && now.lost_captures == 0 && now.self_ticks == 0 &&
        now.unmatched == 0 && now.loose == 0)
        return 0;
    if (!site->counted_known)
        rc = counted_load(s, index);
    if (rc != 0 || memcmp(&now, site->counted, sizeof now) == 0)
        return rc;
    lane_assert(site->counted != NULL);
    if (totals_full(&s->totals))
        rc = totals_flush(&s->totals, s->store, s->id);
    return rc != 0 ? rc : counter_store(s, index, &now);
}

static int losses_of_session(struct session *s)
{
    const struct lane_session *h = &s->reader.header;
    const struct {
        const char *kind;
        uint64_t count;
    } loss[] = {
        {"lost_threads", h->lost_threads},
        {"lost_calls", h->lost_calls},
        {"lost_contexts", h->lost_contexts},
        {"lost_sites", h->lost_sites},
        {"lost_strings", h->lost_strings},
        {"lost_processes", h->lost_processes},
        {"hook_faults", h->hook_faults},
        {"clock_steps", s->clock.step_count},
        {"carriers_dropped", h->carry.dropped},
        {"carriers_expired", h->carry.expired},
        {"carriers_unmatched", h->carry.unmatched},
        {"carriers_late", h->carry.late},
        {"links_dropped", h->carry.links},
        {"context_frames", h->carry.frames},
        {"fiber_stacks", h->carry.stacks},
        {"late_ends", h->carry.gone},
        {"lost_switches", s->switches_lost},
        {"spool_off", s->has_lost && spool_is_off()},
        {"no_wait", s->has_lost && h->policy == LANE_POLICY_DROP},
    };
    _Static_assert(sizeof loss / sizeof *loss <=
                       sizeof s->loss_stored / sizeof *s->loss_stored,
                   "one word each");
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < sizeof loss / sizeof *loss; i++) {
        if (loss[i].count == s->loss_stored[i])
            continue;
        rc = loss_set(s, 0, loss[i].kind, loss[i].count);
        s->loss_stored[i] = loss[i].count;
        s->is_moved = true;
    }
    if (rc == 0 && s->corrupt > 0) {
        rc = store_run(s->store, STORE_LOSS_ADD, "iiti", s->id, (int64_t)0,
                       "corrupt_items", s->corrupt);
        rc = rc < 0 ? rc : 0;
        s->corrupt = 0;
    }
    return rc;
}

/* Where something found no room: why the spool made none. */
static int losses_of_room(struct session *s)
{
    static const char *const kind[SPOOL_REASONS] = {
        [SPOOL_FULL] = "spool_full",
        [SPOOL_NO_ROOM] = "spool_no_room",
        [SPOOL_UNWRITABLE] = "spool_unwritable"};
    int rc = 0;
    if (!s->has_lost)
        return 0;
    for (int i = 0; rc >= 0 && i < SPOOL_REASONS; i++) {
        uint64_t more = spool_refusals(s, (enum spool_reason)i);
        if (more)
            rc = store_run(s->store, STORE_LOSS_ADD, "iiti", s->id, (int64_t)0,
                           kind[i], (int64_t)more);
    }
    return rc < 0 ? rc : 0;
}

int tables_counters(struct session *s)
{
    int rc = losses_of_session(s);
    for (uint32_t i = 1; rc == 0; i++) {
        /* most were never written, and have no page */
        i = lane_reader_next_used(&s->reader, LANE_TABLE_COUNTERS, i);
        if (i >= s->reader.header.site_next)
            break;
        lane_assert(i != 0 && i < LANE_SITE_MAX);
        if (s->site[i].is_known)
            rc = site_counter(s, i);
    }
    return rc == 0 ? losses_of_room(s) : rc;
}
