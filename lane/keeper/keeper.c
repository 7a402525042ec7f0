/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sidecar's stores into a session: see keeper.h.
 *
 * A unit goes back in steps: session.recycling names it and the queue's tail;
 * lane.recycled passes its segment; its slot becomes 0, if it still stands
 * there; the queue takes it; recycling is 0. Whoever finds `recycling` set
 * finishes those steps, so a unit is never lost and never in two places,
 * whenever the sidecar is killed.
 */
#define _GNU_SOURCE
#include "lane/keeper/keeper.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lane/format/assert.h"
#include "lane/format/owner.h"
#include "lane/writer/pages.h"

enum {
    PAGE = 4096,
    KEEPERS_MAX = 1024,
};

static struct lane_keeper *volatile keepers[KEEPERS_MAX];

/* Only mmap, which is safe here. Another SIGBUS than ours kills as usual. */
static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    uint8_t *at = info->si_addr;
    for (int i = 0; i < KEEPERS_MAX; i++) {
        struct lane_keeper *k = keepers[i];
        if (!k || at < k->map.base || at >= k->map.base + k->map.len_bytes)
            continue;
        k->broken = 1;
        void *page = (void *)((uintptr_t)at & ~(uintptr_t)(PAGE - 1));
        if (mmap(page, PAGE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
            return;
    }
    signal(signal_number, SIG_DFL);
}

int lane_keeper_guard(void)
{
    struct sigaction action = {
        .sa_sigaction = on_bus_error,
        .sa_flags = SA_SIGINFO,
    };
    return sigaction(SIGBUS, &action, NULL) == 0 ? 0 : -errno;
}

static int register_keeper(struct lane_keeper *keeper)
{
    lane_assert(keeper->map.base != NULL);
    for (int i = 0; i < KEEPERS_MAX; i++)
        if (!keepers[i]) {
            keepers[i] = keeper;
            return 0;
        }
    return -EMFILE;
}

void lane_keeper_close(struct lane_keeper *keeper)
{
    for (int i = 0; i < KEEPERS_MAX; i++)
        if (keepers[i] == keeper)
            keepers[i] = NULL;
    if (keeper->map.base)
        munmap(keeper->map.base, keeper->map.len_bytes);
    keeper->map.base = NULL;
}

void lane_keeper_refuse(struct lane_keeper *keeper)
{
    lane_assert(keeper->map.session != NULL);
    /* relaxed: a word for people */
    __atomic_store_n(&keeper->map.session->is_refused, 1, __ATOMIC_RELAXED);
}

bool lane_keeper_is_ours(const struct lane_keeper *keeper)
{
    return __atomic_load_n(&keeper->map.session->sidecar_pid,
                           __ATOMIC_RELAXED) == (uint32_t)getpid();
}

/* ---- units ------------------------------------------------------------ */

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

static void journal_recover(struct lane_keeper *keeper,
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

static bool lane_is_there(const struct lane_session *s, uint32_t index)
{
    lane_assert(index < LANE_MAX);
    /* acquire; pairs with lane_make(): a lane that is not made has no page,
     * perhaps */
    uint64_t word =
        __atomic_load_n(&s->lane_made[index / 64], __ATOMIC_ACQUIRE);
    return word >> index % 64 & 1;
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
        if (lane == but || !lane_is_there(keeper->map.session, i))
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
    const struct lane_session *s = keeper->map.session;
    uint32_t lanes = lane_keeper_lanes(keeper);
    for (uint32_t i = 0; i < lanes; i++) {
        const struct lane *lane = &keeper->map.lanes[i];
        /* acquire; pairs with lane_grow(): what it took stands in its slot */
        if (lane_is_there(s, i) &&
            __atomic_load_n(&lane->growing, __ATOMIC_ACQUIRE) != 0)
            return false;
        for (int n = 0; lane_is_there(s, i) && n < LANE_UNIT_RING; n++)
            unit_note(u, __atomic_load_n(&lane->unit[n], __ATOMIC_ACQUIRE));
    }
    return true;
}

/* A process that is killed between two steps of taking a unit has it in no
 * place. Looked for in the order in which a unit goes, so that one that is on
 * its way is seen: queue, lane.growing, slot. */
static void units_recover(struct lane_keeper *keeper)
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

void lane_keeper_rest(struct lane_keeper *keeper)
{
    lane_assert(keeper->map.base != NULL);
    units_recover(keeper);
    (void)madvise(keeper->map.base, keeper->map.len_bytes, MADV_DONTNEED);
}

/* ---- lanes ------------------------------------------------------------ */

/* A lane that is marked as the sidecar's is cleared and set free: also by a
 * sidecar that finds the mark of one that was killed here. */
static void lane_clear(struct lane_session *s, struct lane *lane,
                       uint32_t index, uint32_t generation)
{
    lane_assert(index < LANE_MAX);
    for (int i = 0; i < LANE_OPEN_MAX; i++)
        if (lane->open[i].state != LANE_OPEN_FREE)
            lane->open[i].state = LANE_OPEN_FREE;
    /* relaxed, all: owner_is_dead() may look at them until it sees our mark */
    __atomic_store_n(&lane->depth, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&lane->growing, 0, __ATOMIC_RELAXED);
    __atomic_store_n((uint32_t *)(void *)lane->robust, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&lane->state, LANE_FREE, __ATOMIC_RELAXED);
    /* release; pairs with lane_claim() */
    __atomic_store_n(&lane->owner, LANE_OWNER(generation, 0), __ATOMIC_RELEASE);
    /* its maker may have died before it said so; pairs with lane_is_made() */
    __atomic_fetch_or(&s->lane_made[index / 64], 1ULL << (index % 64),
                      __ATOMIC_RELEASE);
}

bool lane_keeper_free(struct lane_keeper *keeper, uint32_t index,
                      uint64_t judged)
{
    lane_assert(index < keeper->map.table[LANE_TABLE_LANES].capacity);
    lane_assert(LANE_OWNER_WHO(judged) != LANE_OWNER_SIDECAR);
    struct lane_session *s = keeper->map.session;
    struct lane *lane = &keeper->map.lanes[index];
    uint32_t generation = LANE_OWNER_GENERATION(judged);
    if (keeper->minor < LANE_MINOR_OWNER || LANE_OWNER_WHO(judged) == 0)
        return false;
    /* pairs with lane_claim(): whoever exchanges the word has the lane. Nobody
     * claims it while it is ours, so that we clear what is nobody's. */
    if (!__atomic_compare_exchange_n(&lane->owner, &judged,
                                     LANE_OWNER(generation, LANE_OWNER_SIDECAR),
                                     false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return false;
    keeper->has_lost = keeper->has_lost || lane->growing != 0;
    lane_clear(s, lane, index, generation);
    units_recover(keeper);
    return true;
}

void lane_keeper_owners(const struct lane_keeper *keeper,
                        const struct lane_reader *reader, bool *is_owner)
{
    lane_assert(reader->header.lane_next <= LANE_MAX);
    const struct lane_session *s = keeper->map.session;
    for (uint32_t i = 0; i < LANE_PROCESS_MAX; i++)
        is_owner[i] = false;
    for (uint32_t i = 0; i < reader->header.lane_next; i++) {
        if (!lane_is_there(s, i))
            continue;
        /* acquire; pairs with lane_claim() and lane_make() */
        uint32_t who = LANE_OWNER_WHO(
            __atomic_load_n(&keeper->map.lanes[i].owner, __ATOMIC_ACQUIRE));
        if (who != 0 && who != LANE_OWNER_SIDECAR)
            is_owner[LANE_PROCESS_SLOT(who - 1)] = true;
    }
}

void lane_keeper_free_process(struct lane_keeper *keeper, uint32_t number)
{
    lane_assert(LANE_PROCESS_SLOT(number) <
                keeper->map.table[LANE_TABLE_PROCESSES].capacity);
    struct lane_process *entry =
        &keeper->map.processes[LANE_PROCESS_SLOT(number)];
    if (keeper->minor < LANE_MINOR_OWNER ||
        entry->generation != LANE_PROCESS_GENERATION(number))
        return;
    /* release; pairs with process_take_again(): nobody else writes the entry
     * of a process that is gone */
    __atomic_store_n(&entry->state, (uint32_t)LANE_PROCESS_FREE,
                     __ATOMIC_RELEASE);
}

static void free_recover(struct lane_keeper *keeper,
                         const struct lane_reader *reader)
{
    for (uint32_t i = 0; i < reader->header.lane_next; i++) {
        struct lane_head head;
        if (lane_reader_lane(reader, i, &head) == 0 && head.limit != 0 &&
            LANE_OWNER_WHO(head.owner) == LANE_OWNER_SIDECAR)
            lane_clear(keeper->map.session, &keeper->map.lanes[i], i,
                       LANE_OWNER_GENERATION(head.owner));
    }
}

/* ---- mapping ---------------------------------------------------------- */

static bool same_file(int fd, const struct lane_reader *reader)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && fstat(reader->fd, &b) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino &&
           (uint64_t)a.st_size >= reader->header.file_bytes;
}

static void fill_map(struct lane_map *map, uint8_t *base,
                     const struct lane_session *header)
{
    lane_assert(header->file_bytes >= sizeof *header);
    const struct lane_table *t = header->table;
    *map = (struct lane_map){
        .base = base,
        .len_bytes = header->file_bytes,
        .session = (void *)base,
        .processes = (void *)(base + t[LANE_TABLE_PROCESSES].offset),
        .anchors = (void *)(base + t[LANE_TABLE_ANCHORS].offset),
        .lanes = (void *)(base + t[LANE_TABLE_LANES].offset),
        .units = base + t[LANE_TABLE_UNITS].offset,
        .clock = header->clock,
        .policy = header->policy,
        .wait_us = header->wait_us,
    };
    memcpy(map->table, t, sizeof map->table);
}

/* What our stores go by must be what was validated. */
static bool header_is_same(const struct lane_keeper *keeper,
                           const struct lane_reader *reader)
{
    return memcmp(keeper->map.session, &reader->header,
                  offsetof(struct lane_session, ready)) == 0 &&
           keeper->map.session->unit_max <=
               reader->header.table[LANE_TABLE_UNITS].capacity;
}

int lane_keeper_open(struct lane_keeper *keeper, int dir_fd, const char *name,
                     const struct lane_reader *reader)
{
    lane_assert(reader->fd >= 0 && reader->header.major == LANE_MAJOR);
    *keeper = (struct lane_keeper){.broken = 0};
    int fd = openat(dir_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = -EBADMSG;
    if (!same_file(fd, reader))
        goto out;
    void *base = mmap(NULL, reader->header.file_bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED, fd, 0);
    rc = -ENOMEM;
    if (base == MAP_FAILED)
        goto out;
    fill_map(&keeper->map, base, &reader->header);
    keeper->unit_max = reader->header.table[LANE_TABLE_UNITS].capacity;
    keeper->minor = reader->header.minor;
    rc = register_keeper(keeper);
    if (rc == 0 && !header_is_same(keeper, reader))
        rc = -EBADMSG;
    if (rc == 0) {
        __atomic_store_n(&keeper->map.session->sidecar_pid, (uint32_t)getpid(),
                         __ATOMIC_RELAXED);
        __atomic_store_n(&keeper->map.session->is_refused, 0, __ATOMIC_RELAXED);
        journal_recover(keeper, reader);
        free_recover(keeper, reader);
        keeper->has_lost = true; /* nobody knows what the one before saw */
        lane_keeper_rest(keeper);
    } else {
        lane_keeper_close(keeper);
    }
out:
    close(fd);
    return rc;
}
