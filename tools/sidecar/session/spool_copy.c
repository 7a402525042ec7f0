/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that copies. It sleeps until the main thread finds much to do,
 * then looks at all lanes every 50 us to 2 ms (20 ms, where little comes), and
 * sleeps again after a second without. Of a session that has more full segments
 * than stay in a CPU's cache it copies the oldest ones: written, told to who
 * reads, then given back.
 *
 * Kept apart from decoding, so that no transaction, sync or child process that
 * the main thread waits for stops it. It opens nothing but the file of a spool
 * and the one that tells why there is no room, and takes no signal but SIGBUS
 * (a session that was cut short).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "tools/common/text/format.h"
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
    int error; /* of a copy a moment ago; 0: they went well */
    enum spool_reason why;
    int64_t refused_at_ns;
    int told; /* 0, or the reason + 1 */
    bool is_over;
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

/* What is the matter, and the setting that cures it. */
static void describe(enum spool_reason why, int error, char *out, size_t bytes)
{
    static const char so[] = "calls that find no room in shared memory are "
                             "counted without detail";
    const char *store = spool_setting.store;
    if (why == SPOOL_FULL)
        snprintf(
            out, bytes,
            "the spool beside '%s' is full, %s: %s; spool_size lets "
            "it be larger",
            store,
            format_bytes((int64_t)spool_setting.slots_most * LANE_SEGMENT).text,
            so);
    else if (why == SPOOL_NO_ROOM)
        snprintf(out, bytes,
                 "the spool beside '%s' grows no more, as its file system is "
                 "nearly full: %s; spool_free (%s) is what it leaves there",
                 store, so, spool_setting.leave);
    else
        snprintf(out, bytes, "the spool beside '%s' cannot be written: %s; %s",
                 store, strerror(-error), so);
}

/* While it is so, and a second more: what is full may take a segment now and
 * then. The main thread may be waiting for the store just now, so it is told
 * from here. Locked. */
static void tell(int64_t now)
{
    char text[PATHS_MAX + 256];
    if (copier.error != 0 && now - copier.refused_at_ns > awake_ns)
        copier.error = 0;
    int state = copier.error ? (int)copier.why + 1 : 0;
    if (state == copier.told || copier.is_over)
        return;
    copier.told = state;
    if (state)
        describe(copier.why, copier.error, text, sizeof text);
    trouble_set_spool(spool_setting.dir_fd, state ? text : NULL);
    if (state)
        log_line("%s", text);
}

void spool_ease(void)
{
    copier.error = 0;
    tell(now_ns());
}

/* How a copy went. What is full has room again when something was decoded; what
 * cannot be written is tried again later. */
static void note(struct spool *sp, enum spool_reason why, int rc)
{
    int64_t now = now_ns();
    copier.again_at_ns = 0;
    if (rc != 0 && why == SPOOL_UNWRITABLE)
        copier.again_at_ns = now + again_ns;
    if (rc != 0) {
        copier.error = rc;
        copier.why = why;
        copier.refused_at_ns = now;
    }
    if (sp && rc != 0 && (!sp->is_refused || sp->why != why))
        sp->refused[why]++;
    if (sp) {
        sp->is_refused = rc != 0;
        sp->why = why;
    }
    tell(now);
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
    bool is_late = now_ns() < copier.again_at_ns;
    if (is_late || !pick(&c)) {
        press(false);
        return false;
    }
    press(c.behind > PRESSED * spared(c.spool->keeper));
    enum spool_reason why;
    int64_t slot = spool_slot_take(c.spool, &why);
    if (slot < 0) {
        promise(c.spool, false);
        press(false);
        note(c.spool, why, (int)slot);
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
        note(c.spool, SPOOL_UNWRITABLE, rc);
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
        spool_ease(); /* nothing suffers from it */
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
        tell(now);
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
        note(NULL, SPOOL_UNWRITABLE, -rc);
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

void spool_end(void)
{
    spool_lock();
    copier.is_over = true;
    if (copier.told)
        trouble_set_spool(spool_setting.dir_fd, NULL);
    spool_unlock();
}
