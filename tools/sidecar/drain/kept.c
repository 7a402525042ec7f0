/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records that found no room in their lane's log and stand beside it
 * (lane->kept[]). Each belongs where its lane's log was then, behind what it
 * encloses. A slot is given back once its record is stored; a sidecar that was
 * killed in between leaves it to the next one, which finds the span there.
 */
#include <errno.h>
#include <stdlib.h>
#include "tools/sidecar/drain/drain_internal.h"
#include "lane/format/assert.h"

struct kept {
    struct lane_record record[LANE_OPEN_MAX]; /* commit 0: none waits */
    uint64_t taken[LANE_OPEN_MAX]; /* commit words whose slots are not free */
};

static int kept_read(struct session *s, uint32_t lane)
{
    lane_assert(lane < LANE_MAX);
    struct session_lane *l = &s->lane[lane];
    struct lane_record now[LANE_OPEN_MAX];
    struct kept *kept = l->kept;
    int rc = lane_reader_kept(&s->reader, lane, now);
    for (int i = 0; rc == 0 && i < LANE_OPEN_MAX; i++) {
        if (kept->record[i].commit || now[i].commit == kept->taken[i] ||
            lane_kept_position(lane, now[i].commit) == 0)
            continue;
        kept->record[i] = now[i];
        l->kept_count++;
    }
    return rc;
}

int kept_look(struct session *s, uint32_t lane)
{
    lane_assert(lane < LANE_MAX);
    struct session_lane *l = &s->lane[lane];
    uint64_t next = l->log.head.kept_next;
    if (next == l->kept_seen)
        return 0;
    if (!l->kept)
        l->kept = calloc(1, sizeof *l->kept);
    if (!l->kept)
        return -ENOMEM;
    int rc = kept_read(s, lane);
    if (rc == 0)
        l->kept_seen = next;
    return rc;
}

/* The one that ended first of those that the log has come to; -1: none. */
static int kept_next(const struct session_lane *l, uint32_t lane)
{
    lane_assert(l->kept_count <= LANE_OPEN_MAX);
    int first = -1;
    for (int i = 0; i < LANE_OPEN_MAX; i++) {
        const struct lane_record *r = &l->kept->record[i];
        if (r->commit &&
            lane_kept_position(lane, r->commit) <= l->log.position &&
            (first < 0 || r->t1_ticks < l->kept->record[first].t1_ticks))
            first = i;
    }
    return first;
}

int kept_take(struct session *s, uint32_t lane)
{
    struct session_lane *l = &s->lane[lane];
    int i;
    while ((i = kept_next(l, lane)) >= 0) {
        struct lane_record *r = &l->kept->record[i];
        int64_t corrupt = s->corrupt;
        int rc = drain_record(s, lane, r, true);
        if (rc < 0)
            return rc;
        s->corrupt = corrupt; /* it may be there from before */
        l->kept->taken[i] = r->commit;
        r->commit = 0;
        l->kept_count--;
        s->is_moved = true;
    }
    return 0;
}

void kept_drop(struct session *s, uint32_t lane)
{
    struct session_lane *l = &s->lane[lane];
    lane_assert(l->kept_count == 0 || l->kept != NULL);
    for (int i = 0; l->kept_count > 0 && i < LANE_OPEN_MAX; i++) {
        if (l->kept->record[i].commit == 0)
            continue;
        l->kept->taken[i] = l->kept->record[i].commit;
        l->kept->record[i].commit = 0;
        l->kept_count--;
        s->corrupt++;
        s->is_moved = true;
    }
}

void session_free_kept(struct session *s, uint32_t lane)
{
    lane_assert(lane < LANE_MAX);
    struct kept *kept = s->lane[lane].kept;
    for (uint32_t i = 0; kept && i < LANE_OPEN_MAX; i++) {
        if (kept->taken[i])
            lane_keeper_free_kept(s->keeper, lane, i, kept->taken[i]);
        kept->taken[i] = 0;
    }
}
