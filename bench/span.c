// SPDX-License-Identifier: Apache-2.0
/*
 * What a span costs, against the floor: two rdtsc and a 64-byte record,
 * inline in the handler, in the same run.
 *
 *   flat    back to back, no other work: the throughput of rdtsc dominates
 *   spaced  after some 60 ns of dependent work, as between real calls: what
 *           does not hide behind work shows here
 *
 * Each figure is the minimum and the median of many rounds of the variants in
 * turn. The lane is drained between rounds, outside the measured time.
 *
 *   span [rounds]
 */
#define _GNU_SOURCE
#include "tests/core/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <x86intrin.h>

enum {
    CALLS = 2000,
    ROUNDS = 2000,
    ROUNDS_MAX = 10000,
    VARIANTS = 4,
    WORK_STEPS = 48, /* dependent multiplications: about 60 ns */
    FLOOR_RING = 1 << 16,
};

struct floor_record {
    uint64_t t0, t1, word[5], commit;
};
static struct floor_record *floor_ring;
static uint64_t floor_head;

__attribute__((noinline)) static uint64_t plain(uint64_t x)
{
    __asm__ volatile("");
    return x + 1;
}
__attribute__((noinline)) static uint64_t with_floor(uint64_t x)
{
    uint64_t t0 = __rdtsc();
    __asm__ volatile("");
    uint64_t result = x + 1;
    struct floor_record *record = &floor_ring[floor_head++ % FLOOR_RING];
    record->t0 = t0;
    record->word[0] = x;
    record->word[1] = floor_head;
    record->word[2] = result;
    record->word[3] = 7;
    record->word[4] = 9;
    record->t1 = __rdtsc();
    __atomic_store_n(&record->commit, floor_head, __ATOMIC_RELEASE);
    return result;
}

typedef uint64_t handler_fn(uint64_t);
static handler_fn *volatile handlers[VARIANTS];
static const char *const names[VARIANTS] = {"untraced", "floor", "F", "Z"};
static double times[VARIANTS][ROUNDS_MAX];

static inline uint64_t work(uint64_t x)
{
    for (int i = 0; i < WORK_STEPS; i++)
        x = x * 0x9e3779b97f4a7c15u + 1;
    return x;
}

__attribute__((noinline)) static uint64_t run_flat(handler_fn *handler)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < CALLS; i++)
        sum += handler(i);
    return sum;
}
__attribute__((noinline)) static uint64_t run_spaced(handler_fn *handler)
{
    uint64_t x = 1;
    for (uint64_t i = 0; i < CALLS; i++)
        x = handler(work(x));
    return x;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void drain(void)
{
    struct harness_record record;
    while (harness_next(&record))
        ;
}

static void measure(const char *how, uint64_t (*run)(handler_fn *), int rounds,
                    double ns_per_tick)
{
    for (int round = 0; round < rounds; round++)
        for (int v = 0; v < VARIANTS; v++) {
            uint64_t t0 = __rdtsc();
            uint64_t result = run(handlers[v]);
            uint64_t t1 = __rdtsc();
            __asm__ volatile("" ::"r"(result));
            times[v][round] = (double)(t1 - t0) * ns_per_tick / CALLS;
            drain();
        }
    for (int v = 0; v < VARIANTS; v++)
        qsort(times[v], (size_t)rounds, sizeof(double), by_value);
    double plain_min = times[0][0], floor_min = times[1][0];
    double plain_mid = times[0][rounds / 2], floor_mid = times[1][rounds / 2];
    for (int v = 0; v < VARIANTS; v++) {
        double min = times[v][0], mid = times[v][rounds / 2];
        printf("%-7s %-9s min %6.2f  median %6.2f ns", how, names[v], min, mid);
        if (v > 0)
            printf("   over untraced %+6.2f %+6.2f", min - plain_min,
                   mid - plain_mid);
        if (v > 1)
            printf("   over floor %+5.2f %+5.2f (x%.2f x%.2f)",
                   min - floor_min, mid - floor_mid, min / floor_min,
                   mid / floor_mid);
        putchar('\n');
    }
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : ROUNDS;
    if (rounds < 1 || rounds > ROUNDS_MAX)
        rounds = ROUNDS;
    harness_start("F");
    floor_ring = calloc(FLOOR_RING, sizeof *floor_ring);
    handlers[0] = plain;
    handlers[1] = with_floor;
    handlers[2] = harness_stub("plain", plain);
    handlers[3] = harness_stub_stack("plain", plain);
    double ns_per_tick = harness_ns_per_tick();
    for (int v = 0; v < VARIANTS; v++)
        run_flat(handlers[v]);
    measure("flat", run_flat, rounds, ns_per_tick);
    measure("spaced", run_spaced, rounds, ns_per_tick);
    free(floor_ring);
    return 0;
}
