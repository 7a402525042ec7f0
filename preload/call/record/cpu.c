/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See cpu.h. Runs on the path of a call (resync) and at start; raw syscalls,
 * general registers only, errno untouched.
 */
#define _GNU_SOURCE
#include "preload/call/record/cpu.h"

#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/call/record/span.h"
#include "shim/lookup.h"
#include "lane/format/assert.h"

enum {
    RSEQ_CPU_ID = 4, /* offsets in struct rseq */
    RSEQ_CS = 8,
    RSEQ_BYTES_MIN = 16,
    TRIES = 3,
    CALIBRATE_NS = 200 * 1000,
    FRESH_NS = 1000 * 1000,
};

/* The kernel reads the descriptor when it returns to this thread after a
 * switch, and kills the thread if it makes no sense: a signature must stand
 * before abort_ip, abort_ip outside [start, start + length). The range is the
 * one byte of `cpu_mark_code`, which nobody executes. */
extern HIDDEN const char cpu_mark_code[], cpu_mark_abort[];
__asm__(".pushsection .text\n"
        ".hidden cpu_mark_code\n.hidden cpu_mark_abort\n"
        "cpu_mark_code: ud2\n"
        ".long 0x53053053\n" /* RSEQ_SIG of x86 */
        "cpu_mark_abort: ud2\n"
        ".popsection\n");
const struct cpu_mark cpu_mark = {
    .start_ip = (uint64_t)cpu_mark_code,
    .post_commit_offset = 1,
    .abort_ip = (uint64_t)cpu_mark_abort,
};

int64_t cpu_word_offset;
bool cpu_is_assumed;
static bool has_word;
static uint64_t mult;                 /* ns * 2^32 per tick */
static uint64_t fresh;                /* ticks that a base holds */
static uint64_t first_tick, first_ns; /* at the same moment */

static uint64_t read_ns(clockid_t clock)
{
    struct timespec t = {0, 0};
    machine_syscall(SYS_clock_gettime, clock, (long)&t, 0, 0, 0, 0);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A tick and CLOCK_MONOTONIC at the same moment, best of a few. */
static void read_pair(uint64_t *tick, uint64_t *ns)
{
    lane_assert(tick != NULL && ns != NULL);
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 2 * TRIES; i++) {
        uint64_t before = machine_ticks();
        uint64_t now = read_ns(CLOCK_MONOTONIC);
        uint64_t after = machine_ticks();
        if (after - before >= best)
            continue;
        best = after - before;
        *tick = before + best / 2;
        *ns = now;
    }
}

/* Since the first moment; what is left of the time is waited for. */
static uint64_t measure(void)
{
    uint64_t tick = 0, ns = 0;
    lane_assert(first_ns != 0);
    while (read_ns(CLOCK_MONOTONIC) - first_ns < CALIBRATE_NS)
        __builtin_ia32_pause();
    read_pair(&tick, &ns);
    if (tick <= first_tick || ns < first_ns)
        return 0;
    return (uint64_t)(((unsigned __int128)(ns - first_ns) << 32) /
                      (tick - first_tick));
}

/* __rseq_offset and __rseq_size are data of the loader, since glibc 2.35:
 * looked up, so that an older glibc still loads us. */
static void find_word(void)
{
    const int64_t *offset = (const int64_t *)shim_lookup(0, "__rseq_offset");
    const uint32_t *size = (const uint32_t *)shim_lookup(0, "__rseq_size");
    if (offset == NULL || size == NULL || *size < RSEQ_BYTES_MIN)
        return;
    cpu_word_offset = *offset + RSEQ_CS;
    has_word = true;
}

void cpu_start(void)
{
    cpu_word_offset = (int64_t)((uint64_t)&span_thread.no_cpu_word -
                                (uint64_t)__builtin_thread_pointer());
    if (!cpu_is_assumed)
        find_word();
    if (has_word && runtime.map.clock == LANE_CLOCK_TSC)
        read_pair(&first_tick, &first_ns);
}

void cpu_measure(void)
{
    if (!has_word)
        return;
    mult = runtime.map.clock == LANE_CLOCK_TSC ? measure() : 1ULL << 32;
    fresh = cpu_ticks_of_ns(FRESH_NS);
}

uint64_t cpu_ticks_of_ns(uint64_t ns)
{
    uint64_t rate = mult;
    if (runtime.map.clock != LANE_CLOCK_TSC)
        return ns;
    if (rate == 0)
        rate = 1ULL << 29; /* 8 GHz: faster than any */
    unsigned __int128 ticks = ((unsigned __int128)ns << 32) / rate;
    return ticks >> 64 ? UINT64_MAX : (uint64_t)ticks;
}

void cpu_forbid_syscalls(void)
{
    __atomic_store_n(&mult, 0, __ATOMIC_RELAXED);
}

void cpu_attach(struct lane *lane)
{
    lane_assert(lane >= runtime.map.lanes);
    lane->cpu_mult = 0;
    if (cpu_is_assumed) {
        *cpu_word() = (uint64_t)&cpu_mark;
        lane->cpu_mult = 1ULL << 32;
        lane->cpu_until = UINT64_MAX;
    }
    if (!has_word || mult == 0)
        return;
    volatile uint64_t *word = cpu_word();
    int32_t cpu = *(volatile int32_t *)((uint64_t)word - RSEQ_CS + RSEQ_CPU_ID);
    if (cpu < 0) /* not registered */
        return;
    /* forked: the mark was copied, but our CPU time begins anew */
    if (*word == (uint64_t)&cpu_mark)
        *word = 0;
    lane->cpu_mult = mult;
}

void cpu_resync(struct lane *lane)
{
    lane_assert(lane >= runtime.map.lanes);
    if (lane->cpu_mult == 0)
        return;
    if (__atomic_load_n(&mult, __ATOMIC_RELAXED) == 0) {
        lane->cpu_mult = 0; /* no syscalls any more */
        return;
    }
    volatile uint64_t *word = cpu_word();
    for (int i = 0; i < TRIES; i++) {
        if (*word != 0 && *word != (uint64_t)&cpu_mark) {
            lane->cpu_mult = 0; /* the program's own */
            return;
        }
        *word = (uint64_t)&cpu_mark;
        uint64_t ns = read_ns(CLOCK_THREAD_CPUTIME_ID);
        uint64_t tick = lane_now(&runtime.map);
        unsigned __int128 product = (unsigned __int128)tick * lane->cpu_mult;
        lane->cpu_base_ns = ns - (uint64_t)(product >> 32);
        lane->cpu_until = tick + fresh;
        if (*word == (uint64_t)&cpu_mark)
            return;
    }
    /* switched at each try: the base is about right, the mark is gone */
}
