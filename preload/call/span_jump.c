/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a longjmp leaves behind, at the moment it does: the calls whose frames
 * lie between the stack pointer and the target's end, their rules are judged
 * as far as they need no result, their Z entries are given back. Whatever
 * another stack says is left to who comes next (span_settle).
 *
 * Runs within the hook of longjmp, on the program's stack: the frames are
 * still there, and so is what an error's stack is copied from.
 */
#include "preload/call/capture/capture.h"
#include "preload/call/record/cpu.h"
#include "preload/call/error/error.h"
#include "preload/call/record/sandbox.h"
#include "preload/call/record/span_internal.h"
#include "lane/format/error_frames.h"
#include "lane/format/assert.h"

#include <signal.h>
#include <sys/syscall.h>

/* The trampoline's call of an open span; NULL: it cannot be found. */
static const struct shim_call *call_of(const struct lane_open *open)
{
    uint32_t site = LANE_SITE_OF(open->site_kind);
    if (runtime.map.sites[site].shim != LANE_SHIM_FRAME)
        return shim_entry_call(open->sp, (uint64_t)open);
    const struct shim_call *call = (const void *)(open->sp - LANE_KEPT_BELOW);
    return call->sp == open->sp && call->span == open->span ? call : NULL;
}

/* The status bits of what its rules say, into its entry: its record has them,
 * and none but a failure's. */
static void judge(struct lane *lane, struct lane_open *open)
{
    lane_assert(span_has_entry(lane, open));
    const struct site *site = &runtime.sites[LANE_SITE_OF(open->site_kind)];
    const struct shim_call *call = span_state(open) == LANE_OPEN_CALL &&
                                           (site->flags & SITE_CAPTURE_OUT) &&
                                           site->capture
                                       ? call_of(open)
                                       : NULL;
    if (call == NULL)
        return;
    struct capture_verdict verdict = capture_left(
        site, lane, open->span, call, error_last_event(lane, open->t0_ticks));
    if (!verdict.is_error)
        return;
    error_write_rule(lane, open->span, site->index, open->t0_ticks, true);
    open->site_kind |=
        SPAN_KIND(LANE_STATUS_ERROR) |
        (verdict.is_lost ? SPAN_KIND(LANE_STATUS_CAPTURE_LOST) : 0);
}

static void end_open(struct lane *lane, struct lane_open *open, uint64_t t1)
{
    lane_assert(span_is_own(lane) && span_has_entry(lane, open));
    struct lane_open copy = *open;
    uint64_t cpu = LANE_CPU_UNKNOWN;
    if (span_state(open) == LANE_OPEN_CONTEXT) {
        /* release; pairs with look_in() */
        __atomic_store_n(&open->state, (uint64_t)LANE_OPEN_DONE,
                         __ATOMIC_RELEASE);
        return;
    }
    if (!span_claim(open, &copy))
        return;
    if (cpu_base(lane, t1) != LANE_CPU_UNKNOWN &&
        copy.cpu_ns != LANE_CPU_UNKNOWN)
        cpu = cpu_spent(lane, copy.cpu_ns, copy.t0_ticks, t1);
    struct lane_record record;
    span_fill(&record, &copy, t1, cpu, LANE_END_LONGJMP);
    if (copy.site_kind & SPAN_KIND(LANE_STATUS_ERROR))
        record.capture |= 2;
    span_write(lane, &record);
}

/* True: deeper calls than have an entry were open. */
static bool cut_deep(struct lane *lane, uint64_t low, uint64_t high)
{
    lane_assert(low <= high);
    if (lane->depth <= LANE_OPEN_MAX)
        return false;
    if (lane->open[LANE_OPEN_MAX - 1].sp - low < high - low) {
        lane->depth = LANE_OPEN_MAX; /* they are counted, without a time */
        span_forget_deep(lane);
    }
    return true;
}

/* What stands in [low, high), innermost first. All are judged before the first
 * one ends: each one's frame is part of the stacks that are copied. */
static void end_between(struct lane *lane, uint64_t low, uint64_t high)
{
    lane_assert(low <= high && span_is_own(lane));
    bool are_many = cut_deep(lane, low, high);
    uint64_t t1 = 0;
    for (int is_end = 0; is_end < 2; is_end++)
        for (uint64_t i = span_depth(lane); i > 0; i--) {
            struct lane_open *open = &lane->open[i - 1];
            uint64_t state = span_state(open);
            if (state == LANE_OPEN_FREE || state == LANE_OPEN_DONE ||
                open->sp - low >= high - low)
                continue;
            t1 = t1 ? t1 : span_now();
            if (is_end)
                end_open(lane, open, t1);
            else
                judge(lane, open);
        }
    span_pop_done(lane);
    shim_entries_left(low, high, are_many);
}

/* The alternate signal stack, if the thread stands on it. */
static bool find_signal_stack(uint64_t sp, uint64_t *high)
{
    stack_t stack = {.ss_flags = SS_DISABLE};
    if (!sandboxed)
        machine_syscall(SYS_sigaltstack, 0, (long)&stack, 0, 0, 0, 0);
    *high = (uint64_t)stack.ss_sp + stack.ss_size;
    return (stack.ss_flags & SS_DISABLE) == 0 &&
           sp - (uint64_t)stack.ss_sp < stack.ss_size;
}

void span_jump(struct lane *lane, uint64_t from, uint64_t to)
{
    struct span_machine_stack stack = span_stack_at(to);
    uint64_t high;
    if (shim_entries_are_kept())
        return; /* frames come back: who knows what this is */
    if (from >= stack.low && from < stack.high) {
        if (from < to)
            end_between(lane, from, to);
    } else if (stack.is_exact && find_signal_stack(from, &high)) {
        end_between(lane, from, high);
        end_between(lane, stack.low, to);
    }
}
