/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing to lanes where one program has several: a window for each, which a
 * thread of a traced program keeps in its own memory.
 */
#pragma once
#include "lane/writer/writer.h"

static struct lane_window test_windows[LANE_MAX];

static inline struct lane_window *test_window(const struct lane_map *of,
                                              const struct lane *lane)
{
    return &test_windows[lane - of->lanes];
}

static inline struct lane *test_take(struct lane_map *of, uint32_t tid,
                                     uint32_t pid, uint32_t process)
{
    struct lane_window window;
    struct lane *lane = lane_take(of, &window, tid, pid, process);
    if (lane)
        *test_window(of, lane) = window;
    return lane;
}

static inline int test_grow(struct lane_map *of, struct lane *lane)
{
    return lane_grow(of, lane, test_window(of, lane));
}

static inline uint64_t test_reserve(const struct lane_map *of,
                                    struct lane *lane, uint64_t len)
{
    return lane_reserve(of, lane, test_window(of, lane), len);
}

static inline uint8_t *test_at(const struct lane_map *of, struct lane *lane,
                               uint64_t at)
{
    return lane_at(of, lane, test_window(of, lane), at);
}

static inline void test_commit(const struct lane_map *of,
                               const struct lane *lane, uint8_t *line,
                               uint64_t at, enum lane_item_type type)
{
    lane_commit(test_window(of, lane), line, at, type);
}

/* The same for who has no window: by the words that the reader goes by. */
static inline uint8_t *test_address(const struct lane_map *of,
                                    struct lane *lane, uint64_t at)
{
    uint64_t segment = at >> LANE_SEGMENT_SHIFT;
    uint64_t offset = at & (LANE_SEGMENT - 1);
    if (segment == 0)
        return lane->home + (offset - LANE_FIRST_POSITION);
    uint64_t unit = __atomic_load_n(&lane->unit[segment % LANE_UNIT_RING],
                                    __ATOMIC_RELAXED) -
                    1;
    return of->units + (unit << LANE_SEGMENT_SHIFT) + offset;
}
