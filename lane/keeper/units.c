/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The units of a session on their way back: see keeper.h and units.h.
 *
 * A unit goes back in steps: session.recycling names it and the queue's tail;
 * lane.recycled passes its segment; its slot becomes 0, if it still stands
 * there; the queue takes it; recycling is 0. Whoever finds `recycling` set
 * finishes those steps, so a unit is never lost and never in two places,
 * whenever the sidecar is killed.
 */
#define _GNU_SOURCE
#include "lane/keeper/units.h"
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lane/format/assert.h"
#include "lane/writer/pages.h"

static bool queue_has_room(const struct lane_session *s)
{
    /* acquire; pairs with the poppers' exchange in take.c: they read the slots
     * that are free below it */
    uint32_t head = __atomic_load_n(&s->ready_head, __ATOMIC_ACQUIRE);
    return s->ready_tail - head < LANE_READY_RING;
}

static void queue_push(struct lane_session *s, uint32_t unit_plus_1)
{
    uint32_t tail = s->ready_tail;
    lane_assert(unit_plus_1 != 0 && unit_plus_1 <= LANE_UNIT_MAX);
    lane_assert_shared(queue_has_room(s));
    s->ready_unit[tail % LANE_READY_RING] = unit_plus_1;
    /* release; pairs with unit_pop_ready() in take.c */
    __atomic_store_n(&s->ready_tail, tail + 1, __ATOMIC_RELEASE);
}

static void journal_set(struct lane_session *s, uint32_t unit_plus_1)
{
    lane_assert(unit_plus_1 != 0 && unit_plus_1 <= LANE_UNIT_MAX);
    lane_assert_shared((uint32_t)s->recycling == 0);
    uint64_t entry = (uint64_t)s->ready_tail << 32 | unit_plus_1;
    /* release, here and in journal_end(); pairs with journal_recover(), after
     * our death: it stands before the first of the steps and goes after the
     * last */
    __atomic_store_n(&s->recycling, entry, __ATOMIC_RELEASE);
}

static void journal_end(struct lane_session *s)
{
    /* release; pairs as journal_set() says */
    __atomic_store_n(&s->recycling, 0, __ATOMIC_RELEASE);
}

/* Steps between journal and queue, from wherever they stopped. The writer goes
 * by `recycled` alone and may fill the slot anew once that is raised: only what
 * we give back is taken out then. A writer whose handler published the segment
 * for it may store the unit there once more: if it does so before our exchange,
 * that takes it out; after it, it sees `recycled` raised and does so itself. */
static void slot_clear(const struct lane_keeper *keeper, struct lane *lane,
                       uint64_t segment, uint32_t unit_plus_1)
{
    uint32_t *slot = &lane->unit[segment % LANE_UNIT_RING];
    if (keeper->minor >= LANE_MINOR_ROOM) {
        /* release, then a full barrier by the exchange; pairs with
         * slot_is_free() and segment_publish() in take.c */
        if (lane->recycled <= segment)
            __atomic_store_n(&lane->recycled, segment + 1, __ATOMIC_RELEASE);
        (void)__atomic_compare_exchange_n(slot, &unit_plus_1, 0, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
        return;
    }
    /* The writers of before take what stands in a slot for their own. */
    __atomic_store_n(slot, 0, __ATOMIC_RELAXED);
    /* release; pairs with theirs: who sees the segment passed sees its slot
     * empty */
    if (lane->recycled <= segment)
        __atomic_store_n(&lane->recycled, segment + 1, __ATOMIC_RELEASE);
}

/* The unit of a segment that was being given back: `recycled` may be raised
 * already. */
static void slot_recover(const struct lane_keeper *keeper, struct lane *lane,
                         uint32_t unit_plus_1)
{
    uint64_t segment = lane->recycled;
    if (segment && lane->unit[segment % LANE_UNIT_RING] == unit_plus_1)
        slot_clear(keeper, lane, segment, unit_plus_1);
    else if (segment && keeper->minor >= LANE_MINOR_ROOM)
        slot_clear(keeper, lane, segment - 1, unit_plus_1);
}

void journal_recover(struct lane_keeper *keeper,
                     const struct lane_reader *reader)
{
    lane_assert(keeper->unit_max <= LANE_UNIT_MAX);
    struct lane_session *s = keeper->map.session;
    uint32_t unit_plus_1 = (uint32_t)s->recycling;
    if (unit_plus_1 == 0)
        return;
    if (unit_plus_1 > keeper->unit_max) { /* somebody else wrote that */
        journal_end(s);
        return;
    }
    bool pushed = (uint32_t)(s->recycling >> 32) != s->ready_tail;
    for (uint32_t i = 0; !pushed && i < reader->header.lane_next; i++) {
        struct lane_head head;
        if (lane_reader_lane(reader, i, &head) != 0 || head.limit == 0)
            continue;
        slot_recover(keeper, &keeper->map.lanes[i], unit_plus_1);
    }
    if (!pushed && queue_has_room(s))
        queue_push(s, unit_plus_1);
    journal_end(s);
}

/* There is room again: whoever sleeps looks for it. Killed before the call: it
 * looks by itself after some time. */
static void room_tell(const struct lane_keeper *keeper)
{
    struct lane_session *s = keeper->map.session;
    if (keeper->minor < LANE_MINOR_ROOM)
        return;
    /* release; pairs with span_make_room(): who sees the count finds the room
     */
    __atomic_fetch_add(&s->room, 1, __ATOMIC_RELEASE);
    if (keeper->map.policy != LANE_POLICY_DROP)
        (void)syscall(SYS_futex, &s->room, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Does another lane have this unit? Then somebody wrote that into this one's
 * ring, and it is not for this one to give it back. */
static bool unit_is_elsewhere(const struct lane_keeper *keeper,
                              const struct lane *but, uint32_t unit_plus_1)
{
    lane_assert(unit_plus_1 != 0 && unit_plus_1 <= keeper->unit_max);
    uint32_t lanes = lane_keeper_lanes(keeper);
    for (uint32_t i = 0; i < lanes; i++) {
        const struct lane *lane = &keeper->map.lanes[i];
        if (lane == but || !lane_keeper_is_made(keeper, i))
            continue;
        /* relaxed, each: the number is all that is asked for */
        for (int n = 0; n < LANE_UNIT_RING; n++)
            if (__atomic_load_n(&lane->unit[n], __ATOMIC_RELAXED) ==
                unit_plus_1)
                return true;
    }
    return false;
}

/* Give units back, the queue has room for so many at once. */
static void units_give_back(struct lane_keeper *keeper, struct lane *lane,
                            uint64_t before)
{
    lane_assert(lane >= keeper->map.lanes);
    lane_assert(before != 0);
    struct lane_session *s = keeper->map.session;
    while (lane->recycled < before && !keeper->broken) {
        uint64_t segment = lane->recycled;
        uint32_t unit = lane->unit[segment % LANE_UNIT_RING];
        if (segment == 0 || unit == 0 || unit > keeper->unit_max ||
            unit_is_elsewhere(keeper, lane, unit)) {
            slot_clear(keeper, lane, segment, unit);
            continue;
        }
        if (!queue_has_room(s))
            return; /* next time */
        journal_set(s, unit);
        slot_clear(keeper, lane, segment, unit);
        queue_push(s, unit);
        journal_end(s);
    }
}

void lane_keeper_free_kept(struct lane_keeper *keeper, uint32_t index,
                           uint32_t slot, uint64_t commit)
{
    lane_assert(index < keeper->map.table[LANE_TABLE_LANES].capacity);
    lane_assert(slot < LANE_OPEN_MAX && commit != 0);
    struct lane_record *kept = &keeper->map.lanes[index].kept[slot];
    /* release; pairs with the writer's claim (span_record.c) */
    (void)__atomic_compare_exchange_n(&kept->commit, &commit, 0, false,
                                      __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

void lane_keeper_recycle(struct lane_keeper *keeper, uint32_t index,
                         uint64_t before)
{
    lane_assert(index < keeper->map.table[LANE_TABLE_LANES].capacity);
    struct lane *lane = &keeper->map.lanes[index];
    if (before - lane->recycled > LANE_UNIT_RING && lane->recycled < before)
        lane->recycled = before - LANE_UNIT_RING; /* nonsense was there */
    if (lane->recycled >= before)
        return;
    units_give_back(keeper, lane, before);
    room_tell(keeper);
}

void lane_keeper_advance(struct lane_keeper *keeper, uint32_t index,
                         uint64_t tail)
{
    lane_assert(index < keeper->map.table[LANE_TABLE_LANES].capacity);
    lane_assert(tail % LANE_LINE == 0);
    struct lane *lane = &keeper->map.lanes[index];
    /* relaxed: for who looks; the writer goes by `recycled` */
    if (lane->tail < tail)
        __atomic_store_n(&lane->tail, tail, __ATOMIC_RELAXED);
    lane_keeper_recycle(keeper, index, tail >> LANE_SEGMENT_SHIFT);
}

/* ---- units that nobody has --------------------------------------------- */

struct units {
    uint64_t seen[LANE_UNIT_MAX / 64];
    uint32_t count; /* of units that were ever handed out */
};

static void unit_note(struct units *u, uint32_t unit_plus_1)
{
    if (unit_plus_1 != 0 && unit_plus_1 <= LANE_UNIT_MAX)
        u->seen[(unit_plus_1 - 1) / 64] |= 1ULL << (unit_plus_1 - 1) % 64;
}

/* What lies in the queue, what is on its way there, how many there are. */
static void units_ready(const struct lane_keeper *keeper, struct units *u)
{
    const struct lane_session *s = keeper->map.session;
    /* acquire, both; pairs with the poppers' exchanges in take.c: who took what
     * is not seen here has said before that it does (lane.growing) */
    uint32_t head = __atomic_load_n(&s->ready_head, __ATOMIC_ACQUIRE);
    u->count = __atomic_load_n(&s->unit_next, __ATOMIC_ACQUIRE);
    if (u->count > keeper->unit_max)
        u->count = keeper->unit_max;
    lane_assert(u->count <= LANE_UNIT_MAX);
    uint32_t ready = __atomic_load_n(&s->ready_tail, __ATOMIC_RELAXED) - head;
    for (; ready > 0 && ready <= LANE_READY_RING; ready--, head++)
        unit_note(u, s->ready_unit[head % LANE_READY_RING]);
    unit_note(u, (uint32_t)s->recycling);
}

/* What lies in a lane's ring. False: a thread has a unit in hand, perhaps. */
static bool units_of_lanes(const struct lane_keeper *keeper, struct units *u)
{
    uint32_t lanes = lane_keeper_lanes(keeper);
    for (uint32_t i = 0; i < lanes; i++) {
        const struct lane *lane = &keeper->map.lanes[i];
        /* acquire; pairs with lane_grow(): what it took stands in its slot */
        if (lane_keeper_is_made(keeper, i) &&
            __atomic_load_n(&lane->growing, __ATOMIC_ACQUIRE) != 0)
            return false;
        for (int n = 0; lane_keeper_is_made(keeper, i) && n < LANE_UNIT_RING;
             n++)
            unit_note(u, __atomic_load_n(&lane->unit[n], __ATOMIC_ACQUIRE));
    }
    return true;
}

/* A process that is killed between two steps of taking a unit has it in no
 * place. Looked for in the order in which a unit goes, so that one that is on
 * its way is seen: queue, lane.growing, slot. */
void units_recover(struct lane_keeper *keeper)
{
    struct lane_session *s = keeper->map.session;
    struct units u = {.count = 0};
    if (!keeper->has_lost || keeper->minor < LANE_MINOR_ROOM)
        return;
    units_ready(keeper, &u);
    if (!units_of_lanes(keeper, &u))
        return; /* later: keeper->has_lost */
    for (uint32_t unit = 0; unit < u.count && !keeper->broken; unit++) {
        uint8_t *at =
            keeper->map.units + ((uint64_t)unit << LANE_SEGMENT_SHIFT);
        if (u.seen[unit / 64] >> unit % 64 & 1)
            continue;
        /* it may be one whose pages were not to be had */
        if (!queue_has_room(s) || pages_populate(at, LANE_SEGMENT) != 0)
            return;
        journal_set(s, unit + 1);
        queue_push(s, unit + 1);
        journal_end(s);
        room_tell(keeper);
    }
    keeper->has_lost = false;
}

/* Only pages, no owner: whoever takes the unit finds them, and a sidecar that
 * is killed here loses nothing. */
void lane_keeper_top_up(struct lane_keeper *keeper, uint32_t want)
{
    lane_assert(keeper->unit_max <= LANE_UNIT_MAX);
    struct lane_session *s = keeper->map.session;
    /* relaxed, both: how many there are is all that is asked for */
    uint32_t head = __atomic_load_n(&s->ready_head, __ATOMIC_RELAXED);
    uint32_t next = __atomic_load_n(&s->unit_next, __ATOMIC_RELAXED);
    uint32_t ready = s->ready_tail - head;
    uint32_t most = keeper->unit_max;
    if (s->unit_max < most)
        most = s->unit_max;
    if (keeper->unit_real < next)
        keeper->unit_real = next;
    while (ready < want && keeper->unit_real < most &&
           keeper->unit_real - next < want - ready) {
        uint8_t *at = keeper->map.units +
                      ((uint64_t)keeper->unit_real << LANE_SEGMENT_SHIFT);
        if (pages_populate(at, LANE_SEGMENT) != 0)
            return;
        /* the file keeps them; that they are mapped here is of no use */
        (void)madvise(at, LANE_SEGMENT, MADV_DONTNEED);
        keeper->unit_real++;
    }
}
