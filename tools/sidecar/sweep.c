/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of spans of which nothing more will come: their call is open
 * nowhere any more, and no record of it came.
 */
#include "tools/sidecar/drain_internal.h"

enum {
    UNSEEN_MAX = 2,
};

struct sweep {
    struct session *s;
    uint32_t lane;
    struct lane_open open[LANE_OPEN_MAX];
    int count;
};

static void sweep_one(struct pending *p, void *with)
{
    struct sweep *sweep = with;
    if (LANE_REF_LANE(p->ref) != sweep->lane ||
        p->frame[LANE_FRAME_BEGIN].payload)
        return;
    bool is_open = false;
    for (int i = 0; i < sweep->count; i++)
        is_open |= sweep->open[i].span == p->ref;
    p->unseen = is_open ? 0 : p->unseen + 1;
    if (p->unseen > UNSEEN_MAX) {
        pending_drop(&sweep->s->pending, p);
        sweep->s->is_moved = true;
    }
}

void drain_sweep(struct session *s, uint32_t lane)
{
    static struct sweep sweep;
    struct lane_head head;
    if (lane_reader_lane(&s->reader, lane, &head) != 0 ||
        head.depth > LANE_OPEN_MAX)
        return; /* those beyond are nowhere to be seen */
    sweep.s = s;
    sweep.lane = lane;
    uint64_t owner;
    sweep.count = lane_reader_open_spans(&s->reader, lane, sweep.open,
                                         LANE_OPEN_MAX, &owner);
    if (sweep.count >= 0)
        pending_each(&s->pending, sweep_one, &sweep);
}
