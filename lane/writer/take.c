/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lanes for threads, and room for their logs.
 *
 * A lane belongs to one thread at a time: to the one that exchanged its owner
 * word (layout.h). The log goes on over all owners; a LANE_FRAME_THREAD item
 * tells the reader where a new one begins.
 *
 * Runs in the traced process, any thread, also in signal handlers: a signal
 * may come between any two instructions here and take or grow as well.
 */
#define _GNU_SOURCE
#include "lane/writer/writer.h"
#include <errno.h>
#include <linux/futex.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "lane/format/owner.h"
#include "lane/x86_64/machine.h"
#include "lane/format/assert.h"

enum {
    SMALL_REST = 4096, /* of a segment */
    TRIES = 64,        /* of what fails only when somebody else was faster */
};

/* ---- units ------------------------------------------------------------ */

/* Is that a unit + 1 of this mapping? */
static bool unit_is_valid(const struct lane_map *map, uint32_t unit_plus_1)
{
    return unit_plus_1 != 0 &&
           unit_plus_1 <= map->table[LANE_TABLE_UNITS].capacity;
}

/* A unit that the sidecar gave back or laid ready. Its number + 1, or 0. */
static uint32_t unit_pop_ready(const struct lane_map *map)
{
    struct lane_session *session = map->session;
    /* acquire; pairs with the other poppers' exchange below */
    uint32_t head = __atomic_load_n(&session->ready_head, __ATOMIC_ACQUIRE);
    for (int i = 0; i < TRIES; i++) {
        /* acquire; pairs with queue_push() in units.c */
        uint32_t tail = __atomic_load_n(&session->ready_tail, __ATOMIC_ACQUIRE);
        if (head == tail)
            return 0;
        uint32_t unit = __atomic_load_n(
            &session->ready_unit[head % LANE_READY_RING], __ATOMIC_RELAXED);
        /* the slot is not reused while head stands here. Acquire and release;
         * pairs with the other poppers' and with queue_has_room() */
        if (__atomic_compare_exchange_n(&session->ready_head, &head, head + 1,
                                        false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return unit_is_valid(map, unit) ? unit : 0;
    }
    return 0;
}

/* A unit never used before, under the budget and with pages. Its number + 1, or
 * 0. */
static uint32_t unit_take_fresh(const struct lane_map *map)
{
    lane_assert(map->table[LANE_TABLE_UNITS].capacity <= LANE_UNIT_MAX);
    struct lane_session *session = map->session;
    /* relaxed: the number is all that is taken; pairs with the exchanges of the
     * others */
    uint32_t unit = __atomic_load_n(&session->unit_next, __ATOMIC_RELAXED);
    do {
        if (unit >= session->unit_max || !unit_is_valid(map, unit + 1))
            return 0;
    } while (!__atomic_compare_exchange_n(&session->unit_next, &unit, unit + 1,
                                          false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    uint8_t *at = map->units + ((uint64_t)unit << LANE_SEGMENT_SHIFT);
    if (lane_make_real(at, LANE_SEGMENT) == 0)
        return unit + 1;
    /* back, if nobody took another one meanwhile; else the sidecar finds it:
     * units_recover() */
    uint32_t after = unit + 1;
    (void)__atomic_compare_exchange_n(&session->unit_next, &after, unit, false,
                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return 0;
}

/* The unit of a segment is known to its thread; say it to the reader, then let
 * the log go on there. `limit` is where the segment begins. */
static void segment_publish(struct lane *lane, uint64_t limit, uint32_t unit)
{
    uint32_t *slot =
        &lane->unit[(limit >> LANE_SEGMENT_SHIFT) % LANE_UNIT_RING];
    uint32_t mine = unit;
    lane_assert(unit != 0 && unit <= LANE_UNIT_MAX);
    lane_assert(limit % LANE_SEGMENT == 0 && limit != 0);
    /* release; pairs with lane_log_look(), which finds it below `limit` */
    __atomic_store_n(slot, unit, __ATOMIC_RELEASE);
    if (lane_cmpxchg_own(&lane->limit, &limit, limit + LANE_SEGMENT))
        return;
    /* A signal handler published it before us. If the segment was given back
     * since, its slot was empty, and so it must be again. The barrier, then
     * acquire; pairs with slot_clear() in units.c: either that finds what we
     * stored, or we find `recycled` raised. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&lane->recycled, __ATOMIC_ACQUIRE) > limit >>
        LANE_SEGMENT_SHIFT)
        (void)__atomic_compare_exchange_n(slot, &mine, 0, false,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* May the segment at `limit` be taken: has the reader given back what the ring
 * held in its place? */
static bool slot_is_free(const struct lane *lane, uint64_t limit)
{
    uint64_t segment = limit >> LANE_SEGMENT_SHIFT;
    /* acquire; pairs with slot_clear() in units.c */
    uint64_t recycled = __atomic_load_n(&lane->recycled, __ATOMIC_ACQUIRE);
    return segment != 0 && segment < recycled + LANE_UNIT_RING;
}

/*
 * The window is exchanged first: whoever finds it filled for the segment at
 * `limit` (a handler that interrupts us, or a later call where a handler left
 * by longjmp) does the rest. A unit that is in hand when that happens goes to
 * the segment after it.
 */
static int take_room(struct lane_map *map, struct lane *lane,
                     struct lane_window *window)
{
    uint32_t unit = 0;
    lane_assert(window->index == (uint32_t)(lane - map->lanes));
    lane_assert_shared(lane->growing != 0);
    for (int i = 0; i < TRIES; i++) {
        lane_assert(unit == 0 || unit_is_valid(map, unit));
        uint64_t limit = __atomic_load_n(&lane->limit, __ATOMIC_RELAXED);
        uint64_t segment = limit >> LANE_SEGMENT_SHIFT;
        uint64_t *own = &window->unit[segment % LANE_WINDOW];
        uint64_t seen = *own;
        bool is_filled = seen >> LANE_SEGMENT_SHIFT == segment;
        if (!slot_is_free(lane, limit))
            return -ENOSPC; /* a unit in hand: units_recover() */
        if (!is_filled && unit == 0)
            unit = unit_pop_ready(map);
        if (!is_filled && unit == 0)
            unit = unit_take_fresh(map);
        if (!is_filled && unit == 0)
            return -ENOSPC;
        uint64_t mine = segment << LANE_SEGMENT_SHIFT | unit;
        if (!is_filled && !lane_cmpxchg_own(own, &seen, mine))
            continue;
        segment_publish(lane, segment << LANE_SEGMENT_SHIFT,
                        (uint32_t)(is_filled ? seen : mine) &
                            (LANE_SEGMENT - 1));
        if (unit == 0 || !is_filled)
            return 0;
    }
    return -ENOSPC;
}

/* No room for what is wanted, but a little for less: give it up, so that the
 * reader can pass the segment and its unit comes back. */
static void close_segment(struct lane_map *map, struct lane *lane,
                          const struct lane_window *window)
{
    lane_assert(window->index == (uint32_t)(lane - map->lanes));
    uint64_t at = lane->position;
    uint64_t end = lane->limit;
    if (at < end && end - at <= SMALL_REST &&
        lane_cmpxchg_own(&lane->position, &at, end)) {
        lane_pad(map, lane, window, at);
        /* nothing was written that somebody open may enclose */
        if (lane->dropped_at == at)
            lane->dropped_at = end;
    }
}

int lane_grow(struct lane_map *map, struct lane *lane,
              struct lane_window *window)
{
    lane_assert(lane >= map->lanes);
    lane_assert(window->index < map->table[LANE_TABLE_LANES].capacity);
    /* release, both; pairs with units_recover(): while it is not 0, a unit may
     * be in nobody's place but in our hand */
    uint32_t nested = __atomic_load_n(&lane->growing, __ATOMIC_RELAXED);
    __atomic_store_n(&lane->growing, nested + 1, __ATOMIC_SEQ_CST);
    int rc = take_room(map, lane, window);
    __atomic_store_n(&lane->growing, nested, __ATOMIC_RELEASE);
    if (rc != 0)
        close_segment(map, lane, window);
    return rc;
}

/* ---- lanes ------------------------------------------------------------ */

/* All words of the area. Relaxed, each: owner_is_dead() of another thread may
 * look meanwhile, and asks `generation` whose word it saw. */
static void robust_clear(struct lane *lane)
{
    uint32_t *word = (uint32_t *)(void *)lane->robust;
    for (unsigned i = 0; i < sizeof lane->robust / sizeof *word; i++)
        __atomic_store_n(&word[i], 0, __ATOMIC_RELAXED);
}

/* Did the thread end that has the lane by `owner`, with no span open? The
 * kernel said so in a robust word that is of this owner: `generation` is stored
 * after the word was made 0. What is true here stays true as long as the owner
 * word does not change. */
static bool owner_is_dead(const struct lane *lane, uint64_t owner)
{
    /* acquire; pairs with lane_start(): the word below is of this owner */
    uint32_t armed = __atomic_load_n(&lane->generation, __ATOMIC_ACQUIRE);
    /* acquire; pairs with the kernel's exchange at the thread's end */
    uint32_t word = __atomic_load_n(
        (const uint32_t *)(const void *)lane->robust, __ATOMIC_ACQUIRE);
    return armed == LANE_OWNER_GENERATION(owner) && (word & FUTEX_OWNER_DIED) &&
           __atomic_load_n(&lane->depth, __ATOMIC_RELAXED) == 0;
}

/* The generation of ours, 0: another one has the lane. */
static uint32_t lane_claim(struct lane *lane, uint32_t process)
{
    lane_assert(process <= INT32_MAX - 1);
    /* acquire; pairs with lane_release() and lane_keeper_free() */
    uint64_t seen = __atomic_load_n(&lane->owner, __ATOMIC_ACQUIRE);
    uint32_t who = LANE_OWNER_WHO(seen);
    uint32_t generation = LANE_OWNER_GENERATION(seen) + 1;
    if (who == LANE_OWNER_SIDECAR || generation == 0 ||
        (who != 0 && !owner_is_dead(lane, seen)))
        return 0;
    /* acquire and release; pairs with lane_release() and lane_keeper_free(): of
     * all who saw this word one has the lane */
    bool ok = __atomic_compare_exchange_n(
        &lane->owner, &seen, LANE_OWNER(generation, process + 1), false,
        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    return ok ? generation : 0;
}

/* What the thread before us left half full is ours to go on with. */
static void window_make(const struct lane_map *map, struct lane *lane,
                        struct lane_window *window)
{
    lane_assert(lane >= map->lanes);
    lane_assert((uint64_t)(lane - map->lanes) <
                map->table[LANE_TABLE_LANES].capacity);
    for (int i = 0; i < LANE_WINDOW; i++)
        window->unit[i] = 0;
    window->index = (uint32_t)(lane - map->lanes);
    uint64_t segment = lane->position >> LANE_SEGMENT_SHIFT;
    uint64_t end = lane->limit >> LANE_SEGMENT_SHIFT;
    if (segment == 0)
        segment = 1;
    /* one that its thread filled and did not come to publish as well */
    end += slot_is_free(lane, end << LANE_SEGMENT_SHIFT);
    for (int i = 0; i < LANE_WINDOW && segment < end; i++, segment++) {
        /* relaxed: who had the lane released it, see lane_claim() */
        uint32_t unit = __atomic_load_n(&lane->unit[segment % LANE_UNIT_RING],
                                        __ATOMIC_RELAXED);
        if (unit_is_valid(map, unit))
            window->unit[segment % LANE_WINDOW] =
                segment << LANE_SEGMENT_SHIFT | unit;
    }
}

/* Tell the reader whose records follow. */
static int lane_write_thread(struct lane_map *map, struct lane *lane,
                             struct lane_window *window)
{
    lane_assert(window->index == (uint32_t)(lane - map->lanes));
    struct lane_frame_thread thread = {
        .tid = lane->tid,
        .pid = lane->pid,
        .process = lane->process,
        .generation = lane->generation,
    };
    __builtin_memcpy(thread.name, lane->name, sizeof thread.name);
    uint64_t at = lane_reserve(map, lane, window, LANE_LINE);
    if (at == 0 && lane_grow(map, lane, window) == 0)
        at = lane_reserve(map, lane, window, LANE_LINE);
    struct lane_frame *frame =
        at ? (void *)lane_at(map, lane, window, at) : NULL;
    if (!frame)
        return -ENOSPC;
    frame->payload_bytes = sizeof thread;
    frame->kind = LANE_FRAME_THREAD;
    frame->flags = 0;
    frame->count = 0;
    frame->span = 0;
    frame->site = 0;
    frame->pad0 = 0;
    __builtin_memcpy(frame->inline_bytes, &thread, sizeof thread);
    lane_commit(window, (uint8_t *)frame, at, LANE_ITEM_FRAME);
    return 0;
}

static int lane_start(struct lane_map *map, struct lane *lane,
                      struct lane_window *window, uint32_t tid, uint32_t pid,
                      uint32_t process, uint32_t generation)
{
    lane_assert(generation != 0 && process <= INT32_MAX);
    lane_assert_shared(LANE_OWNER_WHO(lane->owner) == process + 1);
    lane_assert_shared(lane->depth == 0);
    window_make(map, lane, window);
    lane_assert(window->index < map->table[LANE_TABLE_LANES].capacity);
    __atomic_store_n(&lane->growing, 0, __ATOMIC_RELAXED);

    lane->tid = tid;
    lane->pid = pid;
    lane->process = process;
    lane->start_ticks = lane_now(map);
    lane->stack_low = lane->stack_high = 0;
    robust_clear(lane);
    /* release; pairs with owner_is_dead(): the robust word is ours now */
    __atomic_store_n(&lane->generation, generation, __ATOMIC_RELEASE);
    __atomic_store_n(&lane->state, LANE_TAKEN, __ATOMIC_RELAXED);
    machine_syscall(SYS_prctl, PR_GET_NAME, (long)lane->name, 0, 0, 0, 0);
    return lane_write_thread(map, lane, window);
}

static bool lane_is_made(const struct lane_session *session, uint32_t index)
{
    lane_assert(index < LANE_MAX);
    /* acquire; pairs with lane_make() */
    uint64_t word =
        __atomic_load_n(&session->lane_made[index / 64], __ATOMIC_ACQUIRE);
    return word >> index % 64 & 1;
}

/* A lane nobody had before: it is ours from its first moment. */
static struct lane *lane_make(struct lane_map *map, uint32_t process)
{
    int64_t index =
        lane_table_take(map, LANE_TABLE_LANES, &map->session->lane_next, 1);
    if (index < 0)
        return NULL;
    struct lane *lane = &map->lanes[index];
    lane_assert((uint32_t)index < map->table[LANE_TABLE_LANES].capacity);
    lane->index = (uint32_t)index;
    lane->position = LANE_FIRST_POSITION;
    lane->tail = LANE_FIRST_POSITION;
    lane->recycled = 1; /* segment 0 is home */
    __atomic_store_n(&lane->owner, LANE_OWNER(1, process + 1),
                     __ATOMIC_RELAXED);
    /* release; pairs with the sidecar's look at `limit` in a lane's page */
    __atomic_store_n(&lane->limit, LANE_SEGMENT, __ATOMIC_RELEASE);
    /* release; pairs with lane_is_made(): all above is there */
    __atomic_fetch_or(&map->session->lane_made[index / 64],
                      1ULL << (index % 64), __ATOMIC_RELEASE);
    return lane;
}

struct lane *lane_take(struct lane_map *map, struct lane_window *window,
                       uint32_t tid, uint32_t pid, uint32_t process)
{
    lane_assert(tid != 0 && pid != 0);
    lane_assert(process <= INT32_MAX - 1);
    uint32_t most = map->table[LANE_TABLE_LANES].capacity;
    uint32_t count =
        __atomic_load_n(&map->session->lane_next, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < count && i < most; i++) {
        struct lane *lane = &map->lanes[i];
        uint32_t generation =
            lane_is_made(map->session, i) ? lane_claim(lane, process) : 0;
        if (generation == 0)
            continue;
        if (lane_start(map, lane, window, tid, pid, process, generation) == 0)
            return lane;
        lane_release(lane); /* no room in its log: try another */
    }
    struct lane *lane = lane_make(map, process);
    if (lane && lane_start(map, lane, window, tid, pid, process, 1) == 0)
        return lane;
    return NULL;
}

void lane_release(struct lane *lane)
{
    uint64_t owner = __atomic_load_n(&lane->owner, __ATOMIC_RELAXED);
    lane_assert_shared(LANE_OWNER_WHO(owner) != 0);
    lane_assert_shared(LANE_OWNER_WHO(owner) != LANE_OWNER_SIDECAR);
    lane_assert_shared(lane->depth == 0 && lane->growing == 0);
    /* relaxed; its area is cleared by the next owner */
    __atomic_store_n((uint32_t *)(void *)lane->robust, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&lane->state, LANE_FREE, __ATOMIC_RELAXED);
    /* release; pairs with lane_claim(): all that was written is the next
     * owner's */
    __atomic_store_n(&lane->owner, LANE_OWNER(LANE_OWNER_GENERATION(owner), 0),
                     __ATOMIC_RELEASE);
}
