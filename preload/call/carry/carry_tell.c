/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reader is told of a span whose work came from elsewhere: how long it
 * waited, or why nobody knows whose it is.
 */
#include "lane/format/assert.h"
#include "preload/call/capture/capture_write.h"
#include "preload/call/carry/carry.h"

/* `payload`: whole words. */
static void put_frame(struct lane *lane, uint64_t span, uint32_t site,
                      enum lane_frame_kind kind, const void *payload,
                      uint32_t bytes)
{
    lane_assert(bytes % 8 == 0 && span_is_own(lane));
    struct capture_frame frame;
    if (!capture_frame_open(lane, bytes, &frame)) {
        __atomic_fetch_add(&runtime.map.session->carry.frames, 1,
                           __ATOMIC_RELAXED);
        return;
    }
    const uint64_t *from = payload;
    uint64_t *to = (uint64_t *)(void *)frame.payload;
    for (uint32_t i = 0; i < bytes / 8; i++)
        to[i] = from[i];
    capture_frame_commit(&frame, bytes, kind, 1, span, site);
}

void carry_tell_origin(struct lane *lane, struct lane_open *open, uint32_t site,
                       const struct span_origin *origin)
{
    lane_assert(origin->is_apart || origin->carried_ticks || origin->orphan);
    lane_assert(span_has_entry(lane, open));
    open->site_kind |= SPAN_KIND(LANE_STATUS_APART);
    if (origin->orphan) {
        struct lane_frame_orphan orphan = {origin->orphan, 0};
        put_frame(lane, open->span, site, LANE_FRAME_ORPHAN, &orphan,
                  sizeof orphan);
    } else if (origin->carried_ticks) {
        struct lane_frame_queue queue = {origin->carried_ticks,
                                         origin->adopted_ticks};
        if (!carry_note_wait(open, queue.carried_ticks, queue.adopted_ticks))
            put_frame(lane, open->span, site, LANE_FRAME_QUEUE, &queue,
                      sizeof queue);
        /* the first span of an item waited for it, not each */
        if (origin->mark)
            origin->mark->t0_ticks = 0;
    }
}
