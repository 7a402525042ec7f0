/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments to be set aside before they are decoded: which are full, and whole.
 * A segment is whole when its items, each committed, fill it to its end; where
 * one is reserved and not committed, it stays with whoever reads the log.
 *
 * Runs in the sidecar's copying thread, under the lock that the keeper's other
 * users hold as well. The mapping is hostile: every index is checked, lengths
 * are checked by lane_item_bytes(), and what is copied is validated again when
 * it is read.
 */
#include <errno.h>
#include "lane/format/assert.h"
#include "lane/keeper/keeper.h"

enum {
    AHEAD = 1024, /* bytes */
};

uint32_t lane_keeper_lanes(const struct lane_keeper *keeper)
{
    uint32_t most = keeper->map.table[LANE_TABLE_LANES].capacity;
    /* relaxed; who asks finds out whether each one is made */
    uint32_t count =
        __atomic_load_n(&keeper->map.session->lane_next, __ATOMIC_RELAXED);
    return count < most ? count : most;
}

uint32_t lane_keeper_units(const struct lane_keeper *keeper)
{
    /* relaxed; who asks looks at the lanes' ends after that */
    return __atomic_load_n(&keeper->map.session->unit_next, __ATOMIC_RELAXED);
}

bool lane_keeper_is_made(const struct lane_keeper *keeper, uint32_t index)
{
    lane_assert(index < LANE_MAX);
    /* acquire; pairs with lane_make(): before, it has no page perhaps */
    uint64_t word = __atomic_load_n(&keeper->map.session->lane_made[index / 64],
                                    __ATOMIC_ACQUIRE);
    return word >> index % 64 & 1;
}

uint64_t lane_keeper_behind(const struct lane_keeper *keeper, uint32_t index)
{
    if (!lane_keeper_is_made(keeper, index))
        return 0;
    struct lane *lane = &keeper->map.lanes[index];
    /* A page that is first written to is mapped alone. One that is first read
     * comes with the 15 around it: 64 KiB a lane count as ours. */
    __atomic_fetch_or(&lane->recycled, 0, __ATOMIC_RELAXED);
    /* acquire; pairs with the writer's cmpxchg: the segment's unit stands in
     * its slot */
    uint64_t end = __atomic_load_n(&lane->position, __ATOMIC_ACQUIRE) >>
                   LANE_SEGMENT_SHIFT;
    uint64_t behind = end - lane->recycled;
    return end > lane->recycled && behind <= LANE_UNIT_RING ? behind : 0;
}

static bool is_whole(uint32_t lane, uint64_t segment, const uint8_t *at)
{
    uint64_t position = segment << LANE_SEGMENT_SHIFT;
    uint64_t offset = 0;
    while (offset < LANE_SEGMENT) {
        /* another core wrote it: the lines come while we look at this one */
        for (uint64_t line = 0; line < 4; line++)
            __builtin_prefetch(at + (offset + AHEAD + line * LANE_LINE) %
                                        LANE_SEGMENT);
        /* acquire; pairs with lane_commit(): what it vouches for is there */
        (void)__atomic_load_n(
            (const uint64_t *)(const void *)(at + offset + 56),
            __ATOMIC_ACQUIRE);
        int64_t len = lane_item_bytes(lane, position + offset, at + offset);
        if (len <= 0)
            return false;
        offset += (uint64_t)len;
    }
    return offset == LANE_SEGMENT;
}

const uint8_t *lane_keeper_oldest(const struct lane_keeper *keeper,
                                  uint32_t index, uint64_t *segment)
{
    const struct lane_session *s = keeper->map.session;
    if (lane_keeper_behind(keeper, index) == 0)
        return NULL;
    const struct lane *lane = &keeper->map.lanes[index];
    uint64_t oldest = lane->recycled;
    /* acquire; pairs with lane_grow(): what it took stands in its slot */
    uint32_t unit =
        __atomic_load_n(&lane->unit[oldest % LANE_UNIT_RING], __ATOMIC_ACQUIRE);
    /* relaxed: room there was, there is */
    uint32_t head = __atomic_load_n(&s->ready_head, __ATOMIC_RELAXED);
    if (oldest == 0 || unit == 0 || unit > keeper->unit_max ||
        s->ready_tail - head >= LANE_READY_RING)
        return NULL;
    const uint8_t *at =
        keeper->map.units + ((uint64_t)(unit - 1) << LANE_SEGMENT_SHIFT);
    if (!is_whole(index, oldest, at))
        return NULL;
    *segment = oldest;
    return at;
}

void lane_keeper_promise(struct lane_keeper *keeper, bool is_soon)
{
    if (keeper->minor >= LANE_MINOR_SPOOL)
        /* release; pairs with wait_most() in span_record.c */
        __atomic_store_n(&keeper->map.session->spool,
                         is_soon ? LANE_SPOOL_SOON : LANE_SPOOL_NO,
                         __ATOMIC_RELEASE);
}
