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
#include "lane/writer/session.h"
#include <errno.h>
#include <time.h>
#include "lane/format/assert.h"
#include "lane/format/owner.h"
#include "lane/writer/pages.h"
#include "lane/x86_64/machine.h"

enum {
    PAGE_SHIFT = 12,
    /* Made real in advance of a table's next word: as much again as is in use,
     * at most. A short process touches few pages, a large one asks rarely. */
    AHEAD = 16 * 1024,
};

/* The word says "all pages below": entries below `from` that others took and
 * did not say so yet are made real here as well, or it would stand still for
 * ever. That does nothing to pages that are in use. It only grows. */
static void real_pages_raise(uint32_t *real, uint8_t *base, uint64_t from,
                             uint32_t pages)
{
    lane_assert(pages != 0);
    uint32_t before = __atomic_load_n(real, __ATOMIC_RELAXED);
    while (before < pages) {
        uint64_t end = (uint64_t)before << PAGE_SHIFT;
        if (end < from && pages_populate(base + end, from - end) != 0)
            return;
        /* relaxed: whoever takes an entry writes it itself */
        if (__atomic_compare_exchange_n(real, &before, pages, false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return;
    }
}

/* Bytes [from, to) of a table have pages, or an error. */
static int table_make_real(struct lane_map *map, enum lane_table_kind kind,
                           uint64_t from, uint64_t to)
{
    const struct lane_table *table = &map->table[kind];
    uint32_t *real = &map->session->real_pages[kind];
    uint64_t have = (uint64_t)__atomic_load_n(real, __ATOMIC_RELAXED)
                    << PAGE_SHIFT;
    if (to <= have)
        return 0;
    uint8_t *base = map->base + table->offset;
    uint64_t size = (uint64_t)table->entry_bytes * table->capacity;
    lane_assert(kind < LANE_TABLES && from < to && to <= size);
    lane_assert(table->offset + size <= map->len_bytes);
    uint64_t ahead = to < AHEAD ? to : AHEAD;
    if (size - to < ahead)
        ahead = size - to;
    uint64_t end;
    int rc = pages_make_real(base + from, to - from, ahead, &end);
    if (rc != 0)
        return rc;
    uint32_t pages =
        (uint32_t)((end - (uint64_t)(uintptr_t)base) >> PAGE_SHIFT);
    real_pages_raise(real, base, from, pages);
    return 0;
}

int64_t lane_table_take(struct lane_map *map, enum lane_table_kind kind,
                        uint32_t *next, uint32_t count)
{
    lane_assert(kind < LANE_TABLES && count != 0);
    lane_assert(map->table[kind].entry_bytes != 0);
    const struct lane_table *table = &map->table[kind];
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
    return rc == 0 ? (int64_t)at : -ENOSPC;
}

/* Most sites of a short process are ours and count nothing: a counter has no
 * page before it is asked for. The last pages that were made real, with those
 * ahead, are one word. */
int lane_counter_make(struct lane_map *map, uint32_t site)
{
    lane_assert(map->table[LANE_TABLE_COUNTERS].entry_bytes ==
                sizeof(struct lane_counter));
    const struct lane_table *table = &map->table[LANE_TABLE_COUNTERS];
    uint64_t size = (uint64_t)table->entry_bytes * table->capacity;
    uint64_t from = (uint64_t)site * table->entry_bytes;
    uint64_t to = from + table->entry_bytes;
    /* relaxed; pairs with the store below: pages that are real stay so */
    uint64_t made = __atomic_load_n(&map->counters_made, __ATOMIC_RELAXED);
    if (site >= table->capacity)
        return -ENOSPC;
    if (from >> PAGE_SHIFT >= made >> 32 &&
        (to - 1) >> PAGE_SHIFT < (uint32_t)made)
        return 0;
    uint8_t *base = map->base + table->offset;
    uint64_t ahead = size - to < AHEAD ? size - to : AHEAD;
    uint64_t end;
    int rc = pages_make_real(base + from, to - from, made ? ahead : 0, &end);
    if (rc != 0)
        return rc;
    end -= (uint64_t)(uintptr_t)base;
    __atomic_store_n(&map->counters_made,
                     from >> PAGE_SHIFT << 32 | end >> PAGE_SHIFT,
                     __ATOMIC_RELAXED);
    return 0;
}

/* ---- processes --------------------------------------------------------- */

/* A place that the sidecar set free. Where the search begins is of no matter:
 * not all at the same place. */
static int64_t process_take_again(struct lane_map *map)
{
    lane_assert(map->table[LANE_TABLE_PROCESSES].capacity <= LANE_PROCESS_MAX);
    const struct lane_session *session = map->session;
    uint64_t real =
        (uint64_t)__atomic_load_n(&session->real_pages[LANE_TABLE_PROCESSES],
                                  __ATOMIC_RELAXED)
        << PAGE_SHIFT;
    uint32_t count = (uint32_t)(real / sizeof(struct lane_process));
    uint32_t begin = (uint32_t)(machine_ticks() >> 4);
    if (count > map->table[LANE_TABLE_PROCESSES].capacity)
        count = map->table[LANE_TABLE_PROCESSES].capacity;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = (begin + i) % count;
        struct lane_process *entry = &map->processes[slot];
        uint32_t state = LANE_PROCESS_FREE;
        /* acquire; pairs with lane_keeper_free_process() */
        if (__atomic_load_n(&entry->state, __ATOMIC_RELAXED) != state ||
            entry->generation >= LANE_GENERATION_MAX ||
            !__atomic_compare_exchange_n(&entry->state, &state,
                                         (uint32_t)LANE_PROCESS_NONE, false,
                                         __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            continue;
        uint32_t generation = entry->generation + 1;
        volatile uint8_t *bytes = (volatile uint8_t *)entry;
        for (unsigned at = sizeof entry->state; at < sizeof *entry; at++)
            bytes[at] = 0;
        entry->generation = generation;
        lane_assert(slot < map->table[LANE_TABLE_PROCESSES].capacity);
        return LANE_PROCESS_NUMBER(generation, slot);
    }
    return -ENOSPC;
}

int64_t lane_process_take(struct lane_map *map)
{
    int64_t index = -ENOSPC;
    uint32_t *next = &map->session->process_next;
    /* not past its end: readers go by it */
    if (__atomic_load_n(next, __ATOMIC_RELAXED) < LANE_PROCESS_MAX)
        index = lane_table_take(map, LANE_TABLE_PROCESSES, next, 1);
    return index >= 0 ? index : process_take_again(map);
}

void lane_process_ready(struct lane_map *map, uint32_t number,
                        enum lane_process_state state)
{
    lane_assert(LANE_PROCESS_SLOT(number) <
                map->table[LANE_TABLE_PROCESSES].capacity);
    lane_assert(state != LANE_PROCESS_NONE && state != LANE_PROCESS_FREE);
    struct lane_process *entry = &map->processes[LANE_PROCESS_SLOT(number)];
    /* release; pairs with the reader's acquire */
    __atomic_store_n(&entry->state, (uint32_t)state, __ATOMIC_RELEASE);
    if (LANE_PROCESS_GENERATION(number) != 0)
        /* release; pairs with processes_sync(): now it is worth a look */
        __atomic_fetch_add(&map->session->process_again, 1, __ATOMIC_RELEASE);
}

/* ---- strings ------------------------------------------------------------ */

int lane_string_put(struct lane_map *map, const void *bytes, uint32_t len_bytes,
                    struct lane_string *out)
{
    lane_assert(len_bytes == 0 || bytes != NULL);
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
    lane_assert((uint64_t)at + len_bytes <=
                map->table[LANE_TABLE_STRINGS].capacity);
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
    return map->clock == LANE_CLOCK_TSC ? machine_ticks()
                                        : clock_ns(CLOCK_MONOTONIC);
}

/* Read all clocks; of a few tries the one that took least. */
static void anchor_read(const struct lane_map *map, struct lane_anchor *best)
{
    lane_assert(map->clock == LANE_CLOCK_TSC ||
                map->clock == LANE_CLOCK_MONOTONIC);
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
    lane_assert(map->table[LANE_TABLE_ANCHORS].capacity != 0);
    struct lane_anchor read = {.process = process};
    anchor_read(map, &read);
    uint32_t number =
        __atomic_fetch_add(&map->session->anchor_next, 1, __ATOMIC_RELAXED);
    uint32_t capacity = map->table[LANE_TABLE_ANCHORS].capacity;
    uint64_t offset = number % capacity * sizeof *map->anchors;
    if (table_make_real(map, LANE_TABLE_ANCHORS, offset,
                        offset + sizeof *map->anchors) != 0)
        return; /* one less: its neighbours will do */
    struct lane_anchor *at = &map->anchors[number % capacity];
    /* fence and release; pairs with clock_read() of the sidecar, which takes
     * an entry whose commit is the same before and after */
    __atomic_store_n(&at->commit, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    at->tick = read.tick;
    at->monotonic_ns = read.monotonic_ns;
    at->boot_ns = read.boot_ns;
    at->real_ns = read.real_ns;
    at->width_ticks = read.width_ticks;
    at->process = process;
    /* pairs as the fence does */
    __atomic_store_n(&at->commit, (uint64_t)number + 1, __ATOMIC_RELEASE);
}

void lane_word_put(struct lane_map *map, const struct lane_word *word)
{
    lane_assert(map->words != NULL && word->kind != 0);
    uint32_t number =
        __atomic_fetch_add(&map->session->word_next, 1, __ATOMIC_RELAXED);
    uint32_t capacity = map->table[LANE_TABLE_WORDS].capacity;
    uint64_t offset = number % capacity * sizeof *map->words;
    if (table_make_real(map, LANE_TABLE_WORDS, offset,
                        offset + sizeof *map->words) != 0)
        return;
    struct lane_word *at = &map->words[number % capacity];
    /* as an anchor; the fence pairs with words_read(), too */
    __atomic_store_n(&at->commit, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    at->ticks = word->ticks;
    at->pid = word->pid;
    at->kind = word->kind;
    at->value = word->value;
    at->process = word->process;
    at->cpu_ns = word->cpu_ns;
    at->peak_bytes = word->peak_bytes;
    /* release; pairs with words_read(): all above is there */
    __atomic_store_n(&at->commit, (uint64_t)number + 1, __ATOMIC_RELEASE);
}
