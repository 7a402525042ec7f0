/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries of the session's tables, strings and anchors. Any thread of any
 * process of the session takes entries with a compare and exchange of the
 * table's `next` word; an entry's own `state` (or commit) word, stored last by
 * its writer, says when a reader may look at it.
 *
 * Runs in the traced process, anchors also in the sidecar. No lock, no errno.
 */
#define _GNU_SOURCE
#include "lane/session.h"
#include <errno.h>
#include <time.h>
#include "lane/pages.h"
#include "lane/x86_64/machine.h"

enum {
    PAGE_SHIFT = 12,
    /* Made real in advance of a table's next word: as much again as is in use,
     * at most. A short process touches few pages, a large one asks rarely. */
    AHEAD = 16 * 1024,
};

/* Bytes [from, to) of a table have pages, or an error. */
static int table_make_real(struct lane_map *map, enum lane_table_kind kind,
                           uint64_t from, uint64_t to)
{
    const struct lane_table *table = &map->session->table[kind];
    uint32_t *real = &map->session->real_pages[kind];
    uint64_t have = (uint64_t)__atomic_load_n(real, __ATOMIC_RELAXED)
                    << PAGE_SHIFT;
    if (to <= have)
        return 0;
    uint8_t *base = map->base + table->offset;
    uint64_t size = (uint64_t)table->entry_bytes * table->capacity;
    uint64_t ahead = to < AHEAD ? to : AHEAD;
    if (size - to < ahead)
        ahead = size - to;
    uint64_t end;
    int rc = pages_make_real(base + from, to - from, ahead, &end);
    if (rc != 0)
        return rc;
    uint32_t pages =
        (uint32_t)((end - (uint64_t)(uintptr_t)base) >> PAGE_SHIFT);
    uint32_t before = (uint32_t)(have >> PAGE_SHIFT);
    /* the word says "all pages below": only without a gap, and it only grows */
    while (from >> PAGE_SHIFT <= before && before < pages &&
           !__atomic_compare_exchange_n(real, &before, pages, false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    return 0;
}

int64_t lane_table_take(struct lane_map *map, enum lane_table_kind kind,
                        uint32_t *next, uint32_t count)
{
    const struct lane_table *table = &map->session->table[kind];
    uint32_t at = __atomic_load_n(next, __ATOMIC_RELAXED);
    uint32_t end;
    do {
        if (__builtin_add_overflow(at, count, &end) || end > table->capacity)
            return -ENOSPC;
    } while (!__atomic_compare_exchange_n(next, &at, end, false,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    /* on failure the entries stay taken and empty: readers skip them */
    int rc = table_make_real(map, kind, (uint64_t)at * table->entry_bytes,
                             (uint64_t)end * table->entry_bytes);
    if (rc == 0 && kind == LANE_TABLE_SITES) { /* counters share the index */
        uint64_t each = sizeof(struct lane_counter);
        rc = table_make_real(map, LANE_TABLE_COUNTERS, at * each, end * each);
    }
    return rc == 0 ? (int64_t)at : -ENOSPC;
}

int lane_string_put(struct lane_map *map, const void *bytes, uint32_t len_bytes,
                    struct lane_string *out)
{
    *out = (struct lane_string){0, 0};
    if (len_bytes == 0)
        return 0;
    int64_t at = lane_table_take(map, LANE_TABLE_STRINGS,
                                 &map->session->string_next, len_bytes);
    if (at < 0) {
        __atomic_fetch_add(&map->session->lost_strings, 1, __ATOMIC_RELAXED);
        return -ENOSPC;
    }
    const char *from = bytes;
    for (uint32_t i = 0; i < len_bytes; i++)
        map->strings[(uint64_t)at + i] = from[i];
    *out = (struct lane_string){(uint32_t)at, len_bytes};
    return 0;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t = {0, 0};
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t lane_now(const struct lane_map *map)
{
    return map->session->clock == LANE_CLOCK_TSC ? machine_ticks()
                                                 : clock_ns(CLOCK_MONOTONIC);
}

/* Read all clocks; of a few tries the one that took least. */
static void anchor_read(const struct lane_map *map, struct lane_anchor *best)
{
    best->width_ticks = UINT64_MAX;
    for (int i = 0; i < 4; i++) {
        uint64_t before = lane_now(map);
        uint64_t monotonic = clock_ns(CLOCK_MONOTONIC);
        uint64_t middle = lane_now(map);
        uint64_t real = clock_ns(CLOCK_REALTIME);
        uint64_t boot = clock_ns(CLOCK_BOOTTIME);
        uint64_t after = lane_now(map);
        if (after - before >= best->width_ticks)
            continue;
        best->tick = before + (middle - before) / 2;
        best->monotonic_ns = monotonic;
        best->real_ns = real;
        best->boot_ns = boot;
        best->width_ticks = after - before;
    }
}

void lane_anchor_put(struct lane_map *map, uint32_t process)
{
    struct lane_anchor read = {.process = process};
    anchor_read(map, &read);
    uint32_t number =
        __atomic_fetch_add(&map->session->anchor_next, 1, __ATOMIC_RELAXED);
    uint32_t capacity = map->session->table[LANE_TABLE_ANCHORS].capacity;
    uint64_t offset = number % capacity * sizeof *map->anchors;
    if (table_make_real(map, LANE_TABLE_ANCHORS, offset,
                        offset + sizeof *map->anchors) != 0)
        return; /* one less: its neighbours will do */
    struct lane_anchor *at = &map->anchors[number % capacity];
    /* the reader takes an entry whose commit is the same before and after */
    __atomic_store_n(&at->commit, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    at->tick = read.tick;
    at->monotonic_ns = read.monotonic_ns;
    at->boot_ns = read.boot_ns;
    at->real_ns = read.real_ns;
    at->width_ticks = read.width_ticks;
    at->process = process;
    __atomic_store_n(&at->commit, (uint64_t)number + 1, __ATOMIC_RELEASE);
}
