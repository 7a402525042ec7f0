/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work that every tracer is measured on: one handler, called back to back
 * and spaced by about 60 ns of dependent work; names only, and one with a
 * text, its length and a return value. Prints ns a call, the minimum over many
 * batches: on a noisy machine the minimum is what the code costs; given a
 * number, of so many calls in a row, all in all, by the clock and of CPU: what
 * a program feels that keeps calling.
 *
 * work names|values|floor [CALLS]
 *
 * bench/peers.py runs it untraced and under each tracer, in turn.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#define HANDLER __attribute__((noinline, noclone, visibility("default")))
enum {
    BATCH = 2000,
    BATCHES = 300
};

HANDLER long names(long x)
{
    __asm__ volatile("" ::: "memory");
    return x + 1 - (x >> 62) + ((x >> 61) & 5); /* not too short to patch */
}
HANDLER long values(const char *text, long n)
{
    __asm__ volatile("" ::: "memory");
    return n + text[0] - (n >> 62) + ((n >> 61) & 5);
}

/* The floor: what any tracer must do, inline in the handler. */
struct record {
    uint64_t word[8];
};
static struct record ring[1 << 14];
static uint64_t head;
HANDLER long floored(long x)
{
    uint64_t t0 = __rdtsc();
    __asm__ volatile("" ::: "memory");
    long r = x + 1;
    struct record *at = &ring[head & ((1 << 14) - 1)];
    for (int i = 1; i < 7; i++)
        at->word[i] = head;
    at->word[0] = t0;
    at->word[7] = __rdtsc();
    head++;
    return r;
}

static double read_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* About 60 ns that nothing can overlap: a chain of dependent divisions. */
static inline uint64_t space(uint64_t x)
{
    for (int i = 0; i < 12; i++)
        x = (x | 0x8000000000000001ULL) / ((x & 7) + 3);
    return x;
}

static const char text[] = "/data/2026-03-03/input-0042.csv";
static volatile int spaced, which;

static long call(long x)
{
    switch (which) {
    case 0:
        return names(x);
    case 1:
        return values(text, (long)sizeof text + (x & 1));
    default:
        return floored(x);
    }
}

static long calls; /* made, all in all */

/* ns of `count` calls */
static double run(clockid_t clock, long count)
{
    static long x;
    static uint64_t y = 1;
    double t = read_ns(clock);
    calls += count;
    if (spaced)
        for (long i = 0; i < count; i++) {
            y = space(y + (uint64_t)x);
            x = call(x + (long)(y & 1));
        }
    else
        for (long i = 0; i < count; i++)
            x = call(x);
    return read_ns(clock) - t;
}

static double measure(void)
{
    double best = 1e18;
    for (int b = 0; b < BATCHES; b++) {
        double t = run(CLOCK_MONOTONIC, BATCH) / BATCH;
        best = t < best ? t : best;
    }
    return best;
}

static void keep_calling(const char *name, long count)
{
    double cpu = read_ns(CLOCK_THREAD_CPUTIME_ID);
    double t = run(CLOCK_MONOTONIC, count);
    cpu = read_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
    printf("\"%s_ns\": %.2f, \"%s_cpu_ns\": %.2f, ", name, t / (double)count,
           name, cpu / (double)count);
}

int main(int argc, char **argv)
{
    which = argc > 1 && strcmp(argv[1], "values") == 0  ? 1
            : argc > 1 && strcmp(argv[1], "floor") == 0 ? 2
                                                        : 0;
    long count = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    putchar('{');
    if (count > 0) {
        keep_calling("flat", count);
        spaced = 1;
        keep_calling("spaced", count);
    } else {
        measure(); /* warm, and let a sidecar come up */
        double flat = measure();
        spaced = 1;
        printf("\"flat_ns\": %.2f, \"spaced_ns\": %.2f, ", flat, measure());
    }
    printf("\"calls\": %ld}\n", calls);
    return 0;
}
