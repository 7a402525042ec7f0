/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that copies. It sleeps until the main thread finds much to do,
 * then looks at all lanes every 50 us to 2 ms (20 ms, where little comes), and
 * sleeps again after a second without. Of a session that has more full segments
 * than stay in a CPU's cache it copies the oldest ones: written, told to who
 * reads, then given back.
 *
 * Kept apart from decoding, so that no transaction, sync or child process that
 * the main thread waits for stops it. It opens nothing but the file of a spool,
 * and takes no signal but SIGBUS (a session that was cut short).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "tools/sidecar/store/log.h"
#include "tools/sidecar/session/spool_internal.h"
#include "tools/sidecar/store/trouble.h"

enum {
    SPARED = 32,    /* full segments that wait for decoding: 4 MiB */
    SPARE_PART = 4, /* ... or this part of a small budget */
    PRESSED = 2,    /* times that: whoever decodes makes way */
    YIELD_NS = 10000000,
    PAUSE_LEAST_NS = 50000,
    PAUSE_MOST_NS = 2000000,
    PAUSE_SLOW_NS = 20000000, /* little is to be done */
};
static const int64_t awake_ns = 1000000000, again_ns = 1000000000;

static struct {
    bool is_started, is_slow; /* slow: it sleeps, for long */
    pthread_t thread;
    pthread_cond_t work, eased;
    bool is_pressed; /* written under the lock, a hint for others */
    int64_t awake_until_ns, busy_until_ns, again_at_ns;
    int error; /* of the last copy; 0: it went well */
} copier = {.work = PTHREAD_COND_INITIALIZER,
            .eased = PTHREAD_COND_INITIALIZER};

struct copy {
    struct spool *spool;
    uint32_t lane, slot;
    uint64_t segment, behind;
    const uint8_t *from;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t spared(const struct lane_keeper *k)
{
    uint64_t part = k->unit_max / SPARE_PART;
    return part > SPARED ? SPARED : part;
}

/* The oldest segment of the lane that is furthest behind; else, where an item
 * in it is not committed, of another one. */
static bool pick_lane(const struct lane_keeper *k, struct copy *out)
{
    uint32_t lanes = lane_keeper_lanes(k);
    uint64_t behind = 0, most = 0;
    if (lane_keeper_units(k) <= spared(k))
        return false;
    for (uint32_t i = 0; i < lanes; i++) {
        uint64_t own = lane_keeper_behind(k, i);
        behind += own;
        if (own > most) {
            most = own;
            out->lane = i;
        }
    }
    out->behind = behind;
    if (behind <= spared(k))
        return false;
    out->from = lane_keeper_oldest(k, out->lane, &out->segment);
    for (uint32_t i = 0; i < lanes && !out->from; i++) {
        out->lane = i;
        out->from = lane_keeper_oldest(k, i, &out->segment);
    }
    return out->from != NULL;
}

/* Sessions that are too far behind take turns. */
static bool pick(struct copy *out)
{
    struct spool *sp;
    TAILQ_FOREACH(sp, &spool_setting.list, of_list)
    {
        if (sp->keeper->broken || !lane_keeper_is_ours(sp->keeper) ||
            !pick_lane(sp->keeper, out))
            continue;
        out->spool = sp;
        TAILQ_REMOVE(&spool_setting.list, sp, of_list);
        TAILQ_INSERT_TAIL(&spool_setting.list, sp, of_list);
        return true;
    }
    return false;
}

static int slot_write(int fd, const struct copy *c)
{
    size_t left = LANE_SEGMENT;
    int64_t at = spool_slot_at(c->slot);
    const uint8_t *from = c->from;
    int rc = spool_file_announce(fd, c->slot);
    if (rc != 0)
        return rc;
    if (!lane_keeper_is_ours(c->spool->keeper))
        return -ESTALE;
    while (left) {
        ssize_t n = pwrite(fd, from, left, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ENOSPC;
        from += n;
        at += n;
        left -= (size_t)n;
    }
    return 0;
}

/* First the index, then the unit: who reads finds it in one of both. */
static int publish(const struct copy *c)
{
    struct lane_keeper *k = c->spool->keeper;
    const struct lane *lane = &k->map.lanes[c->lane];
    if (k->broken || !lane_keeper_is_ours(k) || lane->recycled != c->segment)
        return -ESTALE; /* decoded and given back meanwhile */
    int rc = spool_put(c->spool, c->lane, c->segment, c->slot);
    if (rc != 0)
        return rc;
    lane_keeper_recycle(k, c->lane, c->segment + 1);
    if (lane->recycled > c->segment)
        return 0;
    spool_take_back(c->spool, c->lane);
    return -ESTALE;
}

static void promise(struct spool *sp, bool is_soon)
{
    if (sp->is_promised != is_soon && !sp->keeper->broken)
        lane_keeper_promise(sp->keeper, is_soon);
    sp->is_promised = is_soon;
}

static void note(int rc)
{
    copier.error = rc;
    if (rc != 0)
        copier.again_at_ns = now_ns() + again_ns;
}

static void press(bool is_pressed)
{
    if (copier.is_pressed && !is_pressed)
        (void)pthread_cond_broadcast(&copier.eased);
    __atomic_store_n(&copier.is_pressed, is_pressed, __ATOMIC_RELAXED);
}

void spool_yield(void)
{
    struct timespec end;
    if (!__atomic_load_n(&copier.is_pressed, __ATOMIC_RELAXED))
        return;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += YIELD_NS;
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    spool_lock();
    while (copier.is_pressed &&
           pthread_cond_clockwait(&copier.eased, &spool_mutex, CLOCK_MONOTONIC,
                                  &end) == 0)
        ;
    spool_unlock();
}

/* Locked, but for the write. True: there may be more. */
static bool copy_one(void)
{
    struct copy c;
    bool is_late = copier.error != 0 && now_ns() < copier.again_at_ns;
    if (is_late || !pick(&c)) {
        press(false);
        return false;
    }
    press(c.behind > PRESSED * spared(c.spool->keeper));
    int64_t slot = spool_slot_take(c.spool);
    if (slot < 0) {
        bool is_full = spool_setting.slots_used >= spool_setting.slots_most;
        promise(c.spool, false);
        press(false);
        note(is_full ? 0 : (int)slot);
        return false;
    }
    c.slot = (uint32_t)slot;
    c.spool->is_busy = true;
    int fd = c.spool->fd;
    spool_unlock();
    int rc = slot_write(fd, &c);
    spool_lock();
    c.spool->is_busy = false;
    (void)pthread_cond_broadcast(&spool_idle);
    if (rc != -ESTALE) {
        note(rc);
        promise(c.spool, rc == 0);
    }
    if (rc != 0 || publish(&c) != 0)
        spool_slot_give(c.spool, c.slot);
    return rc == 0;
}

/* Twice as long each time; until spool_wake(), when nothing came for long. */
static void rest(int64_t now, int64_t *pause)
{
    int64_t most = now < copier.busy_until_ns ? PAUSE_MOST_NS : PAUSE_SLOW_NS;
    copier.is_slow = most == PAUSE_SLOW_NS;
    if (*pause > most)
        *pause = PAUSE_LEAST_NS;
    if (now >= copier.awake_until_ns) {
        copier.error = 0; /* nothing suffers from it */
        (void)pthread_cond_wait(&copier.work, &spool_mutex);
        *pause = PAUSE_LEAST_NS;
    } else {
        now += *pause;
        struct timespec end = {now / 1000000000, now % 1000000000};
        (void)pthread_cond_clockwait(&copier.work, &spool_mutex,
                                     CLOCK_MONOTONIC, &end);
        *pause = *pause * 2 < most ? *pause * 2 : most;
    }
    copier.is_slow = false;
}

static void *work(void *nothing)
{
    int64_t pause = PAUSE_LEAST_NS;
    spool_lock();
    for (;;) {
        int64_t now = now_ns();
        if (!copy_one()) {
            rest(now, &pause);
            continue;
        }
        pause = PAUSE_LEAST_NS;
        copier.awake_until_ns = copier.busy_until_ns = now + awake_ns;
    }
    return nothing;
}

static void start(void)
{
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&copier.thread, NULL, work, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    copier.is_started = rc == 0;
    if (rc == 0) /* for people */
        (void)pthread_setname_np(copier.thread, "handspan-spool");
    if (rc != 0)
        note(-rc);
}

void spool_wake(bool is_busy)
{
    if (spool_setting.slots_most == 0)
        return;
    spool_lock();
    int64_t now = now_ns();
    bool was_awake = now < copier.awake_until_ns;
    copier.awake_until_ns = now + awake_ns;
    if (is_busy)
        copier.busy_until_ns = now + awake_ns;
    if (!copier.is_started)
        start();
    if (copier.is_slow && (is_busy || !was_awake))
        (void)pthread_cond_signal(&copier.work);
    spool_unlock();
}

void spool_tell(int dir_fd, bool is_end)
{
    static bool is_told;
    char text[PATHS_MAX + 256];
    spool_lock();
    int error = is_end ? 0 : copier.error;
    spool_unlock();
    if (is_told == (error != 0))
        return;
    is_told = error != 0;
    snprintf(text, sizeof text,
             "the spool beside '%s' cannot be written: %s; calls that find no "
             "room in shared memory are counted without detail",
             spool_setting.store, strerror(-error));
    trouble_set_spool(dir_fd, is_told ? text : NULL);
    if (is_told)
        log_line("%s", text);
}
