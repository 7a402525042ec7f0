/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing to the log of the own lane: reserve, fill, commit. Inlined into the
 * path of a call: no syscall, no lock prefix, general registers only.
 */
#pragma once
#include <stdbool.h>
#include "lane/format/assert.h"
#include "lane/writer/session.h"

/* Unlocked compare and exchange: atomic against signal handlers of this
 * thread, and nobody else writes the word. */
static inline bool lane_cmpxchg_own(uint64_t *word, uint64_t *expected,
                                    uint64_t desired)
{
    bool ok;
    __asm__ volatile("cmpxchgq %3, %1"
                     : "=@ccz"(ok), "+m"(*word), "+a"(*expected)
                     : "r"(desired)
                     : "memory");
    return ok;
}
/* Unlocked fetch and add, likewise. */
static inline uint64_t lane_xadd_own(uint64_t *word, uint64_t value)
{
    __asm__ volatile("xaddq %0, %1"
                     : "+r"(value), "+m"(*word)
                     :
                     : "memory", "cc");
    return value;
}

/* A position for one line of the log, 0: no room. Lines do not cross the end
 * of a segment: positions are multiples of them. */
static inline uint64_t lane_reserve_line(struct lane *lane)
{
    uint64_t at = lane->position;
    do {
        if (__builtin_expect(at + LANE_LINE > lane->limit, 0))
            return 0;
    } while (__builtin_expect(
        !lane_cmpxchg_own(&lane->position, &at, at + LANE_LINE), 0));
    return at;
}

/* Address of a position of the log that was reserved; NULL: no segment of ours,
 * the lane is broken. Whatever the position is, the line lies in what the
 * window says is this thread's. */
static inline uint8_t *lane_at(const struct lane_map *map, struct lane *lane,
                               const struct lane_window *window,
                               uint64_t position)
{
    uint64_t segment = position >> LANE_SEGMENT_SHIFT;
    uint64_t offset = position & (LANE_SEGMENT - LANE_LINE);
    if (segment == 0) {
        offset -= LANE_FIRST_POSITION;
        return offset < LANE_HOME ? lane->home + offset : NULL;
    }
    uint64_t unit = window->unit[segment % LANE_WINDOW];
    if (__builtin_expect((unit ^ position) >> LANE_SEGMENT_SHIFT != 0, 0))
        return NULL;
    lane_assert((unit & (LANE_SEGMENT - 1)) != 0);
    lane_assert((unit & (LANE_SEGMENT - 1)) <=
                map->table[LANE_TABLE_UNITS].capacity);
    return map->units - LANE_SEGMENT +
           ((unit & (LANE_SEGMENT - 1)) << LANE_SEGMENT_SHIFT) + offset;
}

static inline void lane_commit(const struct lane_window *window, uint8_t *line,
                               uint64_t position, enum lane_item_type type)
{
    lane_assert(position != 0 && window->index < LANE_MAX);
    lane_assert(type >= LANE_ITEM_RECORD && type <= LANE_ITEM_PAD);
    /* release; pairs with the reader's acquire of the commit word */
    __atomic_store_n((uint64_t *)(void *)(line + 56),
                     LANE_COMMIT(window->index, position, type),
                     __ATOMIC_RELEASE);
}

/* What is left of a segment, from `at` on, becomes a pad. */
static inline void lane_pad(const struct lane_map *map, struct lane *lane,
                            const struct lane_window *window, uint64_t at)
{
    uint8_t *line = lane_at(map, lane, window, at);
    if (line)
        lane_commit(window, line, at, LANE_ITEM_PAD);
}

/*
 * Reserve `len` bytes (a multiple of LANE_LINE, at most LANE_FRAME_MAX rounded
 * up) of the log. Position, or 0: no room now (lane_grow(), then again).
 */
static inline uint64_t lane_reserve(const struct lane_map *map,
                                    struct lane *lane,
                                    const struct lane_window *window,
                                    uint64_t len)
{
    uint64_t at = lane->position;
    lane_assert(len != 0 && len % LANE_LINE == 0);
    lane_assert(len <= LANE_FRAME_MAX + LANE_LINE);
    lane_assert(window->index == (uint32_t)(lane - map->lanes));
    for (;;) {
        uint64_t end = (at | (LANE_SEGMENT - 1)) + 1;
        if (__builtin_expect(at + len > lane->limit, 0)) {
            /* may still fit a later segment than the one that is full */
            if (at + len <= end || end + len > lane->limit)
                return 0;
        }
        if (__builtin_expect(at + len > end, 0)) {
            /* crossing: what is left of this segment becomes a pad */
            if (lane_cmpxchg_own(&lane->position, &at, end)) {
                lane_pad(map, lane, window, at);
                at = lane->position;
            }
            continue;
        }
        if (lane_cmpxchg_own(&lane->position, &at, at + len))
            return at;
    }
}
