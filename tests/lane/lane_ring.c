/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that stands at the end of its ring asks for room after each store
 * of the sidecar that gives units back, and of one that is killed there and
 * replaced. What it gets is a unit of its own, or nothing yet.
 *
 * usage: lane_ring
 */
#define _GNU_SOURCE
#include <string.h>
#include "tests/lane/lane_check.h"
#include "tests/lane/lane_windows.h"

enum {
    UNITS = LANE_UNIT_RING,
    STORES_MAX = 64,
    FIRST_FREE = LANE_UNIT_RING + 1, /* the segment that has no slot yet */
};
static const uint64_t stored = 3ULL << LANE_SEGMENT_SHIFT;
static struct lane_reader reader;
static struct lane_keeper keeper;

/* The ring as a thread leaves it that wrote without pause. */
static struct lane *make_full(void)
{
    test_session_make(2, UNITS);
    struct lane *lane = test_take(&map, 1, 1, 0);
    CHECK(lane);
    for (uint32_t segment = 1; segment < FIRST_FREE; segment++)
        lane->unit[segment % LANE_UNIT_RING] = segment;
    map.session->unit_next = UNITS;
    lane->limit = (uint64_t)FIRST_FREE << LANE_SEGMENT_SHIFT;
    lane->position = lane->limit;
    *test_window(&map, lane) = (struct lane_window){.index = 0};
    CHECK(test_grow(&map, lane) == -ENOSPC);
    CHECK(lane_reader_open(&reader, test_dir, test_name) == 0);
    CHECK(lane_keeper_open(&keeper, test_dir, test_name, &reader) == 0);
    return lane;
}

static void advance(void *unused)
{
    (void)unused;
    lane_keeper_advance(&keeper, 0, stored);
}

/* Each unit stands in one slot that counts, or in the queue. */
static void check_units(const struct lane *lane)
{
    const struct lane_session *s = map.session;
    int seen[UNITS + 1] = {0};
    for (uint32_t i = s->ready_head; i != s->ready_tail; i++)
        seen[s->ready_unit[i % LANE_READY_RING]]++;
    for (int i = 0; i < LANE_UNIT_RING; i++)
        seen[lane->unit[i]]++;
    for (int i = 1; i <= UNITS; i++)
        CHECK(seen[i] == 1);
    CHECK(s->recycling == 0);
    for (uint64_t at = lane->recycled; at < lane->limit >> LANE_SEGMENT_SHIFT;
         at++)
        CHECK(lane->unit[at % LANE_UNIT_RING] != 0);
}

/* All that the thread can get now. */
static uint32_t grow(struct lane *lane)
{
    uint32_t segments = 0;
    while (test_grow(&map, lane) == 0) {
        uint64_t at = lane->position;
        CHECK(at < lane->limit);
        CHECK(lane->unit[(at >> LANE_SEGMENT_SHIFT) % LANE_UNIT_RING] != 0);
        lane->position = lane->limit;
        segments++;
    }
    return segments;
}

/* False: the sidecar had come to its end by itself. */
static bool one_step(long steps, bool is_killed)
{
    struct lane *lane = make_full();
    pid_t child = stepped_start(advance, NULL);
    bool more = stepped_go(child, steps);
    uint32_t got = grow(lane);
    if (more && is_killed)
        stepped_kill(child);
    else if (more)
        stepped_finish(child);
    lane_keeper_close(&keeper);
    CHECK(lane_keeper_open(&keeper, test_dir, test_name, &reader) == 0);
    lane_keeper_advance(&keeper, 0, stored);
    CHECK(got + grow(lane) == 2);
    check_units(lane);
    lane_keeper_close(&keeper);
    lane_reader_close(&reader);
    test_session_end();
    return more;
}

struct seen {
    uint8_t header[4096], lane[4096];
};

static struct seen look(const struct lane *lane)
{
    struct seen seen;
    memcpy(seen.header, map.session, sizeof seen.header);
    memcpy(seen.lane, lane, sizeof seen.lane);
    return seen;
}

/* After how many instructions what it shares with the thread changes. */
static int find_stores(long stores[STORES_MAX])
{
    struct lane *lane = make_full();
    pid_t child = stepped_start(advance, NULL);
    struct seen before = look(lane);
    int count = 0;
    for (long steps = 1; stepped_go(child, 1); steps++) {
        struct seen now = look(lane);
        if (memcmp(&before, &now, sizeof now) == 0)
            continue;
        CHECK(count < STORES_MAX);
        stores[count++] = steps;
        before = now;
    }
    lane_keeper_close(&keeper);
    lane_reader_close(&reader);
    test_session_end();
    return count;
}

int main(void)
{
    long stores[STORES_MAX];
    test_directory_make();
    int count = find_stores(stores);
    for (int i = 0; i < count; i++) {
        CHECK(one_step(stores[i], false));
        CHECK(one_step(stores[i], true));
    }
    printf("the sidecar was met after each of %d stores\n", count);
    CHECK(count >= 2 * 6 + 1);
    test_session_remove();
    return 0;
}
