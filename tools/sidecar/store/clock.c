/* SPDX-License-Identifier: Apache-2.0 */
/* Ticks to time: see clock.h. */
#include "tools/sidecar/store/clock.h"
#include "lane/format/assert.h"
#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECES_MAX = 1 << 16,
    STEP_NS = 1000000,     /* a jump of the wall clock counts from 1 ms */
    BASELINE_NS = 2000000, /* shorter ones say little about the rate */
    PIECE_NS = 100000000,  /* anchors closer than this make no piece */
    SLEW_NS = 1000000000,  /* an error is made good within this */
};

int64_t clock_to_ns(double ns)
{
    if (!(ns > -9.2e18)) /* nor a NaN */
        return ns < 0 ? -INT64_MAX : 0;
    return ns < 9.2e18 ? (int64_t)ns : INT64_MAX;
}

/* Nominal rate of the TSC, where no two anchors say it. */
static double nominal_rate(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid_count(0x15, 0, &a, &b, &c, &d) && a && b && c)
        return 1e9 * a / ((double)b * c);
    if (__get_cpuid_count(0x16, 0, &a, &b, &c, &d) && a)
        return 1e3 / a;
    return 0.5;
}

void clock_init(struct clock *clock, uint32_t source)
{
    lane_assert(source == LANE_CLOCK_TSC || source == LANE_CLOCK_MONOTONIC);
    *clock = (struct clock){.source = source};
}

void clock_free(struct clock *clock)
{
    free(clock->piece);
    clock->piece = NULL;
}

static int piece_add(struct clock *clock, uint64_t tick, double ns, double rate)
{
    lane_assert(clock->piece_count <= clock->piece_cap &&
                clock->piece_count <= PIECES_MAX);
    if (clock->piece_count == PIECES_MAX) { /* keep every other one */
        for (uint32_t i = 1; i < PIECES_MAX / 2; i++)
            clock->piece[i] = clock->piece[i * 2];
        clock->piece_count = PIECES_MAX / 2;
    }
    if (clock->piece_count == clock->piece_cap) {
        uint32_t cap = clock->piece_cap ? clock->piece_cap * 2 : 16;
        void *grown = realloc(clock->piece, cap * sizeof *clock->piece);
        if (!grown)
            return -ENOMEM;
        clock->piece = grown;
        clock->piece_cap = cap;
    }
    clock->piece[clock->piece_count++] = (struct clock_piece){tick, ns, rate};
    return 0;
}

static const struct clock_piece *piece_of(const struct clock *clock,
                                          uint64_t tick)
{
    lane_assert(clock->piece_count != 0 &&
                clock->piece_count <= clock->piece_cap);
    uint32_t low = 0, high = clock->piece_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (clock->piece[middle].tick <= tick)
            low = middle;
        else
            high = middle;
    }
    return &clock->piece[low];
}

/* ns since the first anchor; before it negative. */
static double since_first(const struct clock *clock, uint64_t tick)
{
    if (clock->piece_count == 0)
        return 0;
    const struct clock_piece *p = piece_of(clock, tick);
    return p->ns + (double)(int64_t)(tick - p->tick) * p->rate;
}

static void step_note(struct clock *clock, const struct lane_anchor *anchor)
{
    lane_assert(clock->step_count <= sizeof clock->step / sizeof *clock->step);
    int64_t offset = (int64_t)(anchor->real_ns - anchor->monotonic_ns);
    int64_t by = clock_add_ns(offset, -clock->offset_ns);
    clock->offset_ns = offset > INT64_MIN ? offset : -INT64_MAX;
    if (by > -STEP_NS && by < STEP_NS)
        return;
    uint32_t most = sizeof clock->step / sizeof *clock->step;
    clock->step[clock->step_count % most] =
        (struct clock_step){anchor->tick, by};
    clock->step_count++;
}

static int first_anchor(struct clock *clock, const struct lane_anchor *anchor)
{
    lane_assert(clock->piece_count == 0);
    clock->first = *anchor;
    clock->offset_ns = (int64_t)(anchor->real_ns - anchor->monotonic_ns);
    if (clock->offset_ns == INT64_MIN)
        clock->offset_ns++;
    double rate = clock->source == LANE_CLOCK_TSC ? nominal_rate() : 1.0;
    return piece_add(clock, anchor->tick, 0, rate);
}

static int anchor_take(struct clock *clock, const struct lane_anchor *anchor)
{
    lane_assert(clock->piece_count <= clock->piece_cap);
    if (clock->piece_count == 0)
        return first_anchor(clock, anchor);
    step_note(clock, anchor);
    const struct clock_piece *last = &clock->piece[clock->piece_count - 1];
    double ticks = (double)(int64_t)(anchor->tick - clock->first.tick);
    double ns =
        (double)(int64_t)(anchor->monotonic_ns - clock->first.monotonic_ns);
    if (clock->source != LANE_CLOCK_TSC || anchor->tick <= last->tick ||
        ticks <= 0 || ns <= 0)
        return 0;
    double rate = ns / ticks;
    lane_assert(rate > 0);
    if (clock->piece_count == 1 && !clock->used) {
        /* nothing was converted yet: the first piece gets a true rate */
        clock->piece[0].rate = rate;
        return 0;
    }
    if (ns - last->ns < (ns < PIECE_NS ? BASELINE_NS : PIECE_NS))
        return 0;
    double predicted = since_first(clock, anchor->tick);
    double slewed = rate * (1 + (ns - predicted) / SLEW_NS);
    if (slewed < rate / 2 || slewed > rate * 2)
        slewed = rate;
    return piece_add(clock, anchor->tick, predicted, slewed);
}

int clock_read(struct clock *clock, const struct lane_reader *reader)
{
    lane_assert(reader->fd >= 0 &&
                reader->header.table[LANE_TABLE_ANCHORS].capacity != 0);
    uint64_t capacity = reader->header.table[LANE_TABLE_ANCHORS].capacity;
    uint64_t end = reader->header.anchor_next;
    uint64_t next = clock->last_number;
    if (end > next + capacity)
        next = end - capacity;
    for (; next < end; next++) {
        struct lane_anchor anchor, again;
        uint32_t index = (uint32_t)(next % capacity);
        int rc = lane_reader_entry(reader, LANE_TABLE_ANCHORS, index, &anchor);
        if (rc == 0)
            rc = lane_reader_entry(reader, LANE_TABLE_ANCHORS, index, &again);
        if (rc != 0)
            return rc;
        if (anchor.commit != next + 1 ||
            memcmp(&anchor, &again, sizeof anchor) != 0)
            continue; /* being written or overtaken: the next one will do */
        rc = anchor_take(clock, &anchor);
        if (rc != 0)
            return rc;
    }
    clock->last_number = next > clock->last_number ? next : clock->last_number;
    return clock->piece_count ? 0 : -EBADMSG;
}

int64_t clock_duration_ns(const struct clock *clock, uint64_t from, uint64_t to)
{
    if (to <= from)
        return 0;
    const struct clock_piece *p = piece_of(clock, from);
    if (p == piece_of(clock, to)) /* exact for short ones */
        return clock_to_ns((double)(to - from) * p->rate + 0.5);
    return clock_to_ns(since_first(clock, to) - since_first(clock, from) + 0.5);
}

int64_t clock_unix_ns(const struct clock *clock, uint64_t tick)
{
    return clock_add_ns((int64_t)clock->first.real_ns,
                        clock_to_ns(since_first(clock, tick)));
}

int64_t clock_until_ns(const struct clock *clock, uint64_t from, uint64_t to)
{
    if (to <= from)
        return 0;
    return clock_add_ns(clock_unix_ns(clock, to), -clock_unix_ns(clock, from));
}

int64_t clock_stepped_ns(const struct clock *clock, uint64_t from, uint64_t to)
{
    uint32_t most = sizeof clock->step / sizeof *clock->step;
    uint32_t n = clock->step_count < most ? clock->step_count : most;
    int64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        if (clock->step[i].tick > from && clock->step[i].tick <= to)
            sum = clock_add_ns(sum, clock->step[i].by_ns);
    return sum;
}

double clock_rate(const struct clock *clock)
{
    return clock->piece_count ? clock->piece[clock->piece_count - 1].rate : 1;
}
