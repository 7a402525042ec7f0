/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sidecar's hold on a session: its file mapped, lanes and places of those
 * that died set free. What becomes of units: units.h.
 */
#define _GNU_SOURCE
#include "lane/keeper/keeper.h"
#include "lane/keeper/units.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lane/format/assert.h"
#include "lane/format/owner.h"

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
    for (uint32_t i = 0; i < LANE_PROCESS_MAX; i++)
        is_owner[i] = false;
    for (uint32_t i = 0; i < reader->header.lane_next; i++) {
        if (!lane_keeper_is_made(keeper, i))
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
    lane_assert(reader->fd >= 0 && reader->header.major <= LANE_MAJOR);
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
