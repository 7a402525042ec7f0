/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ticks of a session to nanoseconds and to wall-clock time.
 *
 * One function of the tick for all: monotonic time, piecewise linear, each
 * piece fixed once it was used, so that a child never sticks out of its parent
 * and order never turns around. Wall-clock time is that plus the distance of
 * REALTIME and MONOTONIC when the session began; a step of the wall clock is
 * noted (clock_step()), not followed.
 */
#pragma once
#include <stdbool.h>
#include "lane/reader/reader.h"

struct clock_piece {
    uint64_t tick; /* from here on */
    double ns;     /* since the first anchor, at `tick` */
    double rate;   /* ns a tick */
};
struct clock_step {
    uint64_t tick; /* seen at this anchor */
    int64_t by_ns;
};
struct clock {
    uint32_t source; /* enum lane_clock */
    bool used;       /* the first piece is fixed, too */
    struct lane_anchor first;
    uint64_t last_number; /* of anchors taken, from 1 */
    int64_t offset_ns;    /* REALTIME - MONOTONIC, followed for steps */
    struct clock_piece *piece;
    uint32_t piece_count, piece_cap;
    struct clock_step step[64];
    uint32_t step_count;
};

/* No anchor yet; `source`: enum lane_clock. Free it with the other. */
void clock_init(struct clock *clock, uint32_t source);
void clock_free(struct clock *clock);
/* Take what anchors are new in the session. 0, -ENOMEM, -EBADMSG. Whoever
 * converts a tick sets `used` before. */
int clock_read(struct clock *clock, const struct lane_reader *reader)
    __attribute__((warn_unused_result));
/* A duration between two ticks, not negative. */
int64_t clock_duration_ns(const struct clock *clock, uint64_t from,
                          uint64_t to);
/* The same where several share the end `to`: from clock_unix_ns(from) on, all
 * of them end in the same nanosecond. */
int64_t clock_until_ns(const struct clock *clock, uint64_t from, uint64_t to);
/* Wall-clock time of a tick. */
int64_t clock_unix_ns(const struct clock *clock, uint64_t tick);
/* By how much the wall clock was set within; 0: it was not. */
int64_t clock_stepped_ns(const struct clock *clock, uint64_t from, uint64_t to);
/* Ticks to ns without a place: for histograms and totals of counters. */
double clock_rate(const struct clock *clock);
/* What a session says may be anything: times stay within int64_t. */
int64_t clock_to_ns(double ns);
static inline int64_t clock_add_ns(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum)
               ? (b < 0 ? INT64_MIN + 1 : INT64_MAX)
               : sum;
}
