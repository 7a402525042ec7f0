/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of spans of which nothing more will come: their call is open
 * nowhere any more, and no record of it came. An event is never open, and a
 * call not yet when its inputs are written: their thread may be held up there
 * for as long as the machine likes. So only what its lane has left far behind
 * is forgotten; until then it takes no more room than that.
 */
#include "tools/sidecar/drain/drain_internal.h"
#include "lane/format/assert.h"

enum {
    UNSEEN_MAX = 2,
    BEHIND_BYTES = LANE_SEGMENT, /* of log; a line or more for each span */
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
    uint64_t position = sweep->s->lane[sweep->lane].log.position;
    if (is_open || p->unseen == 0)
        p->unseen_at = position;
    p->unseen = (uint8_t)(is_open ? 0 : p->unseen + (p->unseen <= UNSEEN_MAX));
    if (p->unseen > UNSEEN_MAX && position - p->unseen_at >= BEHIND_BYTES) {
        pending_drop(&sweep->s->pending, p);
        sweep->s->is_moved = true;
    }
}

void drain_sweep(struct session *s, uint32_t lane)
{
    lane_assert(lane < LANE_MAX);
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
