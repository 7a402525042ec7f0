/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPU time of the running thread without a syscall.
 *
 * glibc (2.35 and later) registers a struct rseq for each thread. We put the
 * address of a descriptor of ours (`cpu_mark`, which covers code that never
 * runs) into its `rseq_cs`; the kernel clears the word when the thread is
 * switched out, migrated or gets a signal. While the mark stands the thread
 * has been running, so
 *
 *     CPU time (ns) = lane->cpu_base_ns + tick * lane->cpu_mult / 2^32
 *
 * (modulo 2^64). When it is gone, one CLOCK_THREAD_CPUTIME_ID sets base and
 * mark anew; so it does after a millisecond (tick cpu_until): what a hypervisor
 * or an interrupt takes away leaves the mark as it is. cpu_mult is the same for
 * all of a process's life, so the base alone, one word, must change at once and
 * needs no lock against signal handlers.
 *
 * A word that the program put there itself is left alone: CPU time is then
 * unknown for this thread. cpu_mult 0: unknown.
 */
#pragma once
#include "lane/x86_64/machine.h"
#include "preload/call/record/runtime.h"

/* struct rseq_cs of linux/rseq.h */
struct cpu_mark {
    uint32_t version, flags;
    uint64_t start_ip, post_commit_offset, abort_ip;
} __attribute__((aligned(32)));
extern HIDDEN const struct cpu_mark cpu_mark;
/* Of rseq_cs, from the thread pointer; where there is none, of a word of ours
 * in which the mark never stands. */
extern HIDDEN int64_t cpu_word_offset;

/* Where instructions are counted no mark stands (valgrind has no rseq): before
 * cpu_start(), and the mark is taken to stand, a tick for a nanosecond. */
extern HIDDEN bool cpu_is_assumed;
/* Find where marks are put, and begin to measure what a tick is.
 * [constructor] */
HIDDEN void cpu_start(void);
/* ... and end, 200 us later or more: waits for what is left of that. Until then
 * CPU times are unknown. [constructor, once] */
HIDDEN void cpu_measure(void);
/* About so many ticks, at the rate that was measured; never fewer. */
HIDDEN uint64_t cpu_ticks_of_ns(uint64_t ns);
/* From now on CPU time is unknown, instead of asked for. */
HIDDEN void cpu_forbid_syscalls(void);
/* A thread got this lane. [own thread] */
HIDDEN void cpu_attach(struct lane *lane);
/* The mark is gone: set base and mark anew. [own thread, signal-safe] */
HIDDEN void cpu_resync(struct lane *lane);

static inline volatile uint64_t *cpu_word(void)
{
    return (volatile uint64_t *)((uint64_t)__builtin_thread_pointer() +
                                 (uint64_t)cpu_word_offset);
}

/* Has the thread been running since the base was taken, not long before
 * `tick`? Asked after the tick was read: then no switch came before. */
static inline bool cpu_is_fresh(const struct lane *lane, uint64_t tick)
{
    return __builtin_expect(*cpu_word() == (uint64_t)&cpu_mark, 1) &&
           __builtin_expect(tick <= lane->cpu_until, 1);
}

/* The base that holds at `tick`, which was just read, LANE_CPU_UNKNOWN: none.
 * This is what an open span keeps. */
static inline uint64_t cpu_base(struct lane *lane, uint64_t tick)
{
    if (!cpu_is_fresh(lane, tick))
        cpu_resync(lane);
    return lane->cpu_mult == 0 ? LANE_CPU_UNKNOWN : lane->cpu_base_ns;
}

/* CPU time of the span from tick `t0` with `base0` to `t1` with the lane's
 * base: what the bases differ by was not spent on the CPU. */
static inline uint64_t cpu_spent(const struct lane *lane, uint64_t base0,
                                 uint64_t t0, uint64_t t1)
{
    unsigned __int128 ran = (unsigned __int128)(t1 - t0) * lane->cpu_mult;
    uint64_t ns = (uint64_t)(ran >> 32) + (lane->cpu_base_ns - base0);
    /* a switch right at a reading can set it back by its length */
    return (int64_t)ns < 0 ? 0 : ns;
}
