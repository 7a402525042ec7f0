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
#include "lane/writer.h"
#include <errno.h>
#include <linux/futex.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "lane/owner.h"
#include "lane/x86_64/machine.h"

enum {
    SMALL_REST = 4096, /* of a segment */
};

/* ---- units ------------------------------------------------------------ */

/* A unit that the sidecar gave back or laid ready. Index, or -1. */
static int64_t unit_pop_ready(struct lane_session *session)
{
    uint32_t head = __atomic_load_n(&session->ready_head, __ATOMIC_ACQUIRE);
    for (;;) {
        /* acquire; pairs with the pusher's release in keeper.c */
        uint32_t tail = __atomic_load_n(&session->ready_tail, __ATOMIC_ACQUIRE);
        if (head == tail)
            return -1;
        uint32_t unit = __atomic_load_n(
            &session->ready_unit[head % LANE_READY_RING], __ATOMIC_RELAXED);
        /* the slot is not reused while head stands here */
        if (__atomic_compare_exchange_n(&session->ready_head, &head, head + 1,
                                        false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return unit == 0 || unit > session->unit_max ? -1
                                                         : (int64_t)unit - 1;
    }
}

/* A unit never used before, under the budget and with pages. */
static int64_t unit_take_fresh(struct lane_map *map)
{
    struct lane_session *session = map->session;
    uint64_t mapped = (map->len_bytes - (uint64_t)(map->units - map->base)) >>
                      LANE_SEGMENT_SHIFT;
    uint32_t unit = __atomic_load_n(&session->unit_next, __ATOMIC_RELAXED);
    do {
        if (unit >= session->unit_max || unit >= mapped)
            return -ENOSPC;
    } while (!__atomic_compare_exchange_n(&session->unit_next, &unit, unit + 1,
                                          false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    uint8_t *at = map->units + ((uint64_t)unit << LANE_SEGMENT_SHIFT);
    int rc = lane_make_real(at, LANE_SEGMENT);
    if (rc == 0)
        return unit;
    /* back, if nobody took another one meanwhile; else it stays unused */
    uint32_t after = unit + 1;
    (void)__atomic_compare_exchange_n(&session->unit_next, &after, unit, false,
                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return -ENOSPC;
}

static bool own_cmpxchg32(uint32_t *word, uint32_t expected, uint32_t desired)
{
    return __atomic_compare_exchange_n(word, &expected, desired, false,
                                       __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

/* The slot of the segment at `limit`: NULL if the reader has not given back
 * what the ring holds there. */
static uint32_t *slot_of_next(struct lane *lane, uint64_t limit)
{
    uint64_t segment = limit >> LANE_SEGMENT_SHIFT;
    /* acquire; pairs with the reader's release after it cleared the slot */
    uint64_t recycled = __atomic_load_n(&lane->recycled, __ATOMIC_ACQUIRE);
    if (segment >= recycled + LANE_UNIT_RING)
        return NULL;
    return &lane->unit[segment % LANE_UNIT_RING];
}

static int take_room(struct lane_map *map, struct lane *lane)
{
    uint64_t limit = __atomic_load_n(&lane->limit, __ATOMIC_RELAXED);
    uint32_t *slot = slot_of_next(lane, limit);
    if (!slot)
        return -ENOSPC;
    if (__atomic_load_n(slot, __ATOMIC_RELAXED) == 0) {
        int64_t unit = unit_pop_ready(map->session);
        if (unit < 0)
            unit = unit_take_fresh(map);
        if (unit < 0)
            return -ENOSPC;
        /* a signal handler may have filled slots meanwhile: next to those */
        for (;;) {
            limit = __atomic_load_n(&lane->limit, __ATOMIC_RELAXED);
            slot = slot_of_next(lane, limit);
            if (!slot)
                return -ENOSPC; /* the unit stays unused: handler took all */
            if (own_cmpxchg32(slot, 0, (uint32_t)unit + 1))
                break;
            lane_cmpxchg_own(&lane->limit, &limit, limit + LANE_SEGMENT);
        }
    }
    /* Filled and not published yet: by us, or by the code that we interrupt,
     * which finds its exchange done. */
    lane_cmpxchg_own(&lane->limit, &limit, limit + LANE_SEGMENT);
    return 0;
}

/* No room for what is wanted, but a little for less: give it up, so that the
 * reader can pass the segment and its unit comes back. */
static void close_segment(struct lane_map *map, struct lane *lane)
{
    uint64_t at = lane->position;
    uint64_t end = lane->limit;
    if (at < end && end - at <= SMALL_REST &&
        lane_cmpxchg_own(&lane->position, &at, end)) {
        lane_commit(lane, lane_at(map, lane, at), at, LANE_ITEM_PAD);
        /* nothing was written that somebody open may enclose */
        if (lane->dropped_at == at)
            lane->dropped_at = end;
    }
}

int lane_grow(struct lane_map *map, struct lane *lane)
{
    int rc = take_room(map, lane);
    if (rc != 0)
        close_segment(map, lane);
    return rc;
}

/* ---- lanes ------------------------------------------------------------ */

static uint32_t *robust_word(struct lane *lane)
{
    return (uint32_t *)(void *)lane->robust;
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
    /* acquire; pairs with lane_release() and lane_keeper_free() */
    uint64_t seen = __atomic_load_n(&lane->owner, __ATOMIC_ACQUIRE);
    uint32_t who = LANE_OWNER_WHO(seen);
    uint32_t generation = LANE_OWNER_GENERATION(seen) + 1;
    if (who == LANE_OWNER_SIDECAR || generation == 0 ||
        (who != 0 && !owner_is_dead(lane, seen)))
        return 0;
    bool ok = __atomic_compare_exchange_n(
        &lane->owner, &seen, LANE_OWNER(generation, process + 1), false,
        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    return ok ? generation : 0;
}

/* Tell the reader whose records follow. */
static int lane_write_thread(struct lane_map *map, struct lane *lane)
{
    struct lane_frame_thread thread = {
        .tid = lane->tid,
        .pid = lane->pid,
        .process = lane->process,
        .generation = lane->generation,
    };
    __builtin_memcpy(thread.name, lane->name, sizeof thread.name);
    uint64_t at = lane_reserve(map, lane, LANE_LINE);
    if (at == 0 && lane_grow(map, lane) == 0)
        at = lane_reserve(map, lane, LANE_LINE);
    if (at == 0)
        return -ENOSPC;
    struct lane_frame *frame = (void *)lane_at(map, lane, at);
    frame->payload_bytes = sizeof thread;
    frame->kind = LANE_FRAME_THREAD;
    frame->flags = 0;
    frame->count = 0;
    frame->span = 0;
    frame->site = 0;
    frame->pad0 = 0;
    __builtin_memcpy(frame->inline_bytes, &thread, sizeof thread);
    lane_commit(lane, (uint8_t *)frame, at, LANE_ITEM_FRAME);
    return 0;
}

static int lane_start(struct lane_map *map, struct lane *lane, uint32_t tid,
                      uint32_t pid, uint32_t process, uint32_t generation)
{
    lane->tid = tid;
    lane->pid = pid;
    lane->process = process;
    lane->start_ticks = lane_now(map);
    lane->stack_low = lane->stack_high = 0;
    for (unsigned i = 0; i < sizeof lane->robust; i++)
        ((volatile uint8_t *)lane->robust)[i] = 0;
    /* release; pairs with owner_is_dead(): the robust word is ours now */
    __atomic_store_n(&lane->generation, generation, __ATOMIC_RELEASE);
    __atomic_store_n(&lane->state, LANE_TAKEN, __ATOMIC_RELAXED);
    machine_syscall(SYS_prctl, PR_GET_NAME, (long)lane->name, 0, 0, 0, 0);
    return lane_write_thread(map, lane);
}

static bool lane_is_made(const struct lane_session *session, uint32_t index)
{
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

struct lane *lane_take(struct lane_map *map, uint32_t tid, uint32_t pid,
                       uint32_t process)
{
    uint32_t count =
        __atomic_load_n(&map->session->lane_next, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < count && i < LANE_MAX; i++) {
        struct lane *lane = &map->lanes[i];
        uint32_t generation =
            lane_is_made(map->session, i) ? lane_claim(lane, process) : 0;
        if (generation == 0)
            continue;
        if (lane_start(map, lane, tid, pid, process, generation) == 0)
            return lane;
        lane_release(lane); /* no room in its log: try another */
    }
    struct lane *lane = lane_make(map, process);
    if (lane && lane_start(map, lane, tid, pid, process, 1) == 0)
        return lane;
    return NULL;
}

void lane_release(struct lane *lane)
{
    uint64_t owner = __atomic_load_n(&lane->owner, __ATOMIC_RELAXED);
    *(volatile uint32_t *)robust_word(lane) = 0;
    __atomic_store_n(&lane->state, LANE_FREE, __ATOMIC_RELAXED);
    /* release; pairs with lane_claim(): all that was written is the next
     * owner's */
    __atomic_store_n(&lane->owner, LANE_OWNER(LANE_OWNER_GENERATION(owner), 0),
                     __ATOMIC_RELEASE);
}
