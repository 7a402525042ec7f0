/* SPDX-License-Identifier: Apache-2.0 */
/* See outbox.h. */
#define _GNU_SOURCE
#include "tools/sidecar/store/outbox.h"
#include "lane/format/assert.h"
#include <time.h>

enum {
    TRACES_NS = 2000000000, /* ended traces wait so long for stragglers */
    TRACE_SETTLE_S = 2,
    TRACE_LIVE_S = 60,
};
static const int64_t session_ns = 60000000000;

static int64_t unix_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int runs_write(struct outbox *o, struct store *store, int64_t session)
{
    lane_assert(o->runs <= OUTBOX_RUNS);
    int rc = 0;
    int64_t at = o->runs ? unix_ns() : 0;
    for (uint32_t i = 0; i < o->runs && rc >= 0; i++)
        rc = store_run(store, STORE_OUTBOX_SPANS, "iiii", at, session,
                       (int64_t)o->run[i].lo, (int64_t)o->run[i].hi);
    o->runs = 0;
    return rc < 0 ? rc : 0;
}

/* Runs that met become one: a parent that ended joins its children to what
 * came before. */
static void runs_join(struct outbox *o)
{
    lane_assert(o->runs != 0 && o->runs <= OUTBOX_RUNS);
    lane_assert(o->run[o->runs - 1].lo <= o->run[o->runs - 1].hi);
    while (o->runs > 1) {
        struct outbox_run *a = &o->run[o->runs - 2], *b = a + 1;
        if (a->hi + 1 == b->lo)
            a->hi = b->hi;
        else if (b->hi + 1 == a->lo)
            a->lo = b->lo;
        else
            return;
        o->runs--;
    }
}

int outbox_span(struct outbox *o, struct store *store, int64_t session,
                uint64_t ref)
{
    lane_assert(o->runs <= OUTBOX_RUNS);
    if (o->runs == OUTBOX_RUNS) {
        int rc = runs_write(o, store, session);
        if (rc != 0)
            return rc;
    }
    o->run[o->runs++] = (struct outbox_run){ref, ref};
    runs_join(o);
    return 0;
}

bool outbox_is_due(const struct outbox *o, int64_t now_ns)
{
    return (o->traces_at_ns && now_ns >= o->traces_at_ns) ||
           (o->is_changed && now_ns >= o->session_at_ns);
}

static int session_write(struct outbox *o, struct store *store, int64_t session,
                         int64_t now_ns)
{
    o->is_changed = false;
    o->session_at_ns = now_ns + session_ns;
    int rc = store_run(store, STORE_OUTBOX_SESSION, "ii", unix_ns(), session);
    return rc < 0 ? rc : 0;
}

/* Traces that ended and were left alone for a moment, those that change for a
 * minute; with the session's end all that it has. */
static int traces_write(struct store *store, int64_t session, bool ended)
{
    int64_t now = unix_ns();
    int64_t all_of = ended ? session : STORE_NULL;
    int64_t settled = now / 1000000000 - TRACE_SETTLE_S;
    int64_t live = now / 1000000000 - TRACE_LIVE_S;
    int rc = store_run(store, STORE_OUTBOX_TRACES, "iiii", now, all_of, settled,
                       live);
    if (rc > 0)
        rc = store_run(store, STORE_DIRTY_DONE, "iiii", now, all_of, settled,
                       live);
    return rc < 0 ? rc : 0;
}

static bool are_dirty(struct store *store)
{
    int rc = store_start(store, STORE_DIRTY_LEFT, "");
    bool left = rc > 0;
    while (rc > 0)
        rc = store_next(store, STORE_DIRTY_LEFT);
    return left;
}

int outbox_save(struct outbox *o, struct store *store, int64_t session,
                int64_t now_ns, bool moved, bool ended)
{
    lane_assert(o->runs <= OUTBOX_RUNS);
    int rc = runs_write(o, store, session);
    if (moved && o->traces_at_ns == 0)
        o->traces_at_ns = now_ns + TRACES_NS;
    if (moved && !o->is_changed) {
        o->is_changed = true;
        if (o->session_at_ns < now_ns)
            o->session_at_ns = now_ns + session_ns;
    }
    if (rc == 0 && (ended || (o->traces_at_ns && now_ns >= o->traces_at_ns))) {
        rc = traces_write(store, session, ended);
        o->traces_at_ns = are_dirty(store) ? now_ns + TRACES_NS : 0;
    }
    if (rc == 0 && (ended || (o->is_changed && now_ns >= o->session_at_ns)))
        rc = session_write(o, store, session, now_ns);
    return rc;
}
