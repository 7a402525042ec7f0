/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing records where the plain way does not: growing the log, the other
 * clock. What finds no room: span_lost.c.
 *
 * Runs within enter and leave, also in signal handlers; raw syscalls, general
 * registers only, errno untouched.
 */
#define _GNU_SOURCE
#include "preload/call/record/span_internal.h"

#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/call/record/blind.h"
#include "preload/call/record/sandbox.h"
#include "lane/format/assert.h"

enum {
    GROW_EVERY = 8,                  /* records dropped between tries to grow */
    WAIT_STEP_NS = 50 * 1000 * 1000, /* a killed sidecar wakes nobody */
    /* for a spool: a thread sleeps no longer than this while nothing is given
     * back; so long in all, and beyond that this part of its time: who outruns
     * the disk takes at most twice as long, and that */
    BRIEF_STILL_NS = 500 * 1000 * 1000,
    BRIEF_MOST_NS = 2000 * 1000 * 1000,
    BRIEF_PART = 2,
};

static long now_slow(long a, long b)
{
    (void)a;
    (void)b;
    uint32_t busy = span_busy++;
    long now = (long)lane_now(&runtime.map);
    span_busy = busy;
    return now;
}

uint64_t span_now(void)
{
    if (LIKELY(runtime.map.clock == LANE_CLOCK_TSC && !blind))
        return machine_ticks();
    if (blind)
        return 0;     /* no clock is left */
    if (!sandboxed) { /* cheaper than to save the vector unit for the vDSO */
        struct timespec now;
        if (machine_syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0,
                            0, 0, 0) == 0)
            return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    }
    return (uint64_t)shim_call_slow(now_slow, 0, 0);
}

/* session.room + 1 when this thread found none last; 0: it always did. */
static __thread uint32_t vain;

static uint64_t monotonic_ns(void)
{
    struct timespec t = {0, 0};
    machine_syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&t, 0, 0, 0, 0);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void set_mask(uint64_t mask, uint64_t *was)
{
    if (!sandboxed)
        machine_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, (long)was,
                        sizeof(mask), 0, 0);
}

/* A handler that forked meanwhile would leave a child that takes room for its
 * parent's lane. False: none, or this is such a child, of a fork before or
 * after. */
static bool grow(struct lane *lane)
{
    uint64_t mask = 0;
    set_mask(UINT64_MAX, &mask);
    bool ok = !span_is_forked() &&
              lane_grow(&runtime.map, lane, &span_thread.window) == 0;
    set_mask(mask, NULL);
    return ok && !span_is_forked();
}

/* Time that this thread slept for the spool, less a part of what went by since:
 * as of debt_at. */
static __thread uint64_t debt_ns, debt_at;

/* How long it may sleep for the spool now. */
static uint64_t brief_wait(uint64_t now)
{
    uint64_t paid = (now - debt_at) / BRIEF_PART;
    debt_ns = debt_ns > paid ? debt_ns - paid : 0;
    debt_at = now;
    return debt_ns < BRIEF_MOST_NS ? BRIEF_MOST_NS - debt_ns : 0;
}

static uint64_t wait_most(uint64_t now)
{
    const struct lane_session *session = runtime.map.session;
    if (runtime.map.policy == LANE_POLICY_WAIT)
        return runtime.map.wait_us * UINT64_C(1000);
    /* acquire; pairs with lane_keeper_promise() */
    if (runtime.map.policy == LANE_POLICY_BRIEF &&
        __atomic_load_n(&session->spool, __ATOMIC_ACQUIRE) == LANE_SPOOL_SOON)
        return brief_wait(now);
    return 0;
}

/* Until the sidecar gave something back or the step is over. True: it did.
 * `room`: as it was before there was none, and as it is. */
static bool sleep_a_step(uint32_t *room, uint64_t most_ns)
{
    struct lane_session *session = runtime.map.session;
    uint32_t before = *room;
    uint64_t ns = most_ns < WAIT_STEP_NS ? most_ns : WAIT_STEP_NS;
    struct timespec step = {0, (long)ns};
    machine_syscall(SYS_futex, (long)&session->room, FUTEX_WAIT, before,
                    (long)&step, 0, 0);
    /* acquire; pairs with room_tell() in units.c */
    *room = __atomic_load_n(&session->room, __ATOMIC_ACQUIRE);
    return *room != before;
}

/* Until the sidecar made room, or as long as the log's policy is to wait. */
static bool sleep_for_room(struct lane *lane, uint32_t *room, uint64_t now)
{
    lane_assert(runtime.map.session != NULL);
    uint64_t end = now + wait_most(now);
    bool is_begun = *room != 0; /* else its sidecar may just be starting */
    bool is_brief = runtime.map.policy == LANE_POLICY_BRIEF && is_begun;
    uint64_t still = is_brief ? BRIEF_STILL_NS : end - now;
    uint64_t until = now + still;
    while (now < end && now < until) {
        bool is_news = sleep_a_step(room, end - now);
        if (grow(lane))
            return true;
        if (span_is_forked())
            break;
        now = monotonic_ns();
        until = is_news ? now + still : until;
    }
    return false;
}

static bool wait_for_room(struct lane *lane, uint32_t *room)
{
    if (runtime.map.policy == LANE_POLICY_DROP || sandboxed)
        return false;
    uint64_t begun = monotonic_ns();
    bool ok = sleep_for_room(lane, room, begun);
    debt_ns += monotonic_ns() - begun;
    return ok;
}

/* A full session is asked for more when something was given back since, else
 * only now and then. Who waited in vain waits again only after that, too: one
 * lane's last unit may be all there is, and another's thread must get on. */
bool span_make_room(struct lane *lane)
{
    lane_assert(span_is_own(lane));
    /* acquire; pairs with room_tell() in units.c */
    uint32_t room =
        __atomic_load_n(&runtime.map.session->room, __ATOMIC_ACQUIRE);
    bool is_news = vain != room + 1;
    if (!is_news && lane->dropped % GROW_EVERY != 0)
        return false;
    bool ok = grow(lane) || (is_news && wait_for_room(lane, &room));
    vain = ok ? 0 : room + 1;
    return ok;
}

/* Room for `len` bytes of log; 0: none. */
static uint64_t reserve(struct lane *lane, uint64_t len)
{
    lane_assert(len != 0 && len % LANE_LINE == 0);
    const struct lane_window *window = &span_thread.window;
    uint64_t at = lane_reserve(&runtime.map, lane, window, len);
    if (LIKELY(at != 0))
        return at;
    if (span_make_room(lane))
        at = lane_reserve(&runtime.map, lane, window, len);
    if (at == 0 && !span_is_forked())
        lane->dropped++;
    return at;
}

void span_write(struct lane *lane, const struct lane_record *record)
{
    lane_assert(span_is_own(lane));
    const struct lane_window *window = &span_thread.window;
    uint64_t at = reserve(lane, LANE_LINE);
    struct lane_record *to =
        at ? (void *)lane_at(&runtime.map, lane, window, at) : NULL;
    if (to == NULL) {
        if (!span_is_forked()) /* else it is the parent's, who writes it */
            span_write_lost(lane, record);
        return;
    }
    __builtin_memcpy(to, record, offsetof(struct lane_record, commit));
    lane_commit(window, (uint8_t *)to, at, LANE_ITEM_RECORD);
}

void span_end_open(struct lane *lane, const struct lane_open *open, uint64_t t1,
                   enum lane_end end)
{
    lane_assert(span_is_own(lane) && end <= LANE_END_EVENT);
    struct lane_record record;
    span_fill(&record, open, t1, LANE_CPU_UNKNOWN, end);
    if (end == LANE_END_EXCEPTION)
        record.site_status |= SPAN_KIND(LANE_STATUS_ERROR);
    span_write(lane, &record);
}
