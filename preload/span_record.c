/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing records where the plain way does not: growing the log, the other
 * clock. What finds no room: span_lost.c.
 *
 * Runs within enter and leave, also in signal handlers; raw syscalls, general
 * registers only, errno untouched.
 */
#define _GNU_SOURCE
#include "preload/span_internal.h"

#include <sys/syscall.h>
#include <time.h>

#include "preload/blind.h"
#include "preload/sandbox.h"

enum {
    GROW_EVERY = 8, /* records dropped between tries to grow */
    WAIT_STEP_US = 50,
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
    if (LIKELY(runtime.map.session->clock == LANE_CLOCK_TSC && !blind))
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

/* The log's policy is to wait: until the sidecar made room, or wait_us. */
static bool wait_for_room(struct lane *lane)
{
    const struct lane_session *session = runtime.map.session;
    struct timespec step = {0, WAIT_STEP_US * 1000};
    if (session->policy != LANE_POLICY_WAIT || sandboxed)
        return false;
    for (uint32_t us = 0; us < session->wait_us; us += WAIT_STEP_US) {
        machine_syscall(SYS_nanosleep, (long)&step, 0, 0, 0, 0, 0);
        if (lane_grow(&runtime.map, lane) == 0)
            return true;
    }
    return false;
}

/* Room for `len` bytes of log; 0: none. */
static uint64_t reserve(struct lane *lane, uint64_t len)
{
    uint64_t at = lane_reserve(&runtime.map, lane, len);
    if (LIKELY(at != 0))
        return at;
    /* a full session is asked for more only now and then */
    if (lane->dropped % GROW_EVERY != 0) {
        lane->dropped++;
        return 0;
    }
    if (lane_grow(&runtime.map, lane) == 0 || wait_for_room(lane))
        at = lane_reserve(&runtime.map, lane, len);
    if (at == 0)
        lane->dropped++;
    return at;
}

void span_write(struct lane *lane, const struct lane_record *record)
{
    uint64_t at = reserve(lane, LANE_LINE);
    if (at == 0) {
        span_write_lost(lane, record);
        return;
    }
    struct lane_record *to = (void *)lane_at(&runtime.map, lane, at);
    __builtin_memcpy(to, record, offsetof(struct lane_record, commit));
    lane_commit(lane, (uint8_t *)to, at, LANE_ITEM_RECORD);
}

void span_end_open(struct lane *lane, const struct lane_open *open, uint64_t t1,
                   enum lane_end end)
{
    struct lane_record record;
    span_fill(&record, open, t1, LANE_CPU_UNKNOWN, end);
    if (end == LANE_END_EXCEPTION)
        record.site_status |= SPAN_KIND(LANE_STATUS_ERROR);
    span_write(lane, &record);
}
