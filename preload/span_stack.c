/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stack of open spans where it is not plain: after a longjmp, with fibers,
 * on signal stacks, with tail spans. span_internal.h has its rules.
 *
 * Runs within enter and leave, on the thread that owns the lane; a signal
 * handler may come between any two instructions and do the same. An entry is
 * therefore claimed (its state exchanged for DONE) before its record is
 * written from a copy.
 */
#include "preload/span_internal.h"
#include "preload/sandbox.h"

#include <signal.h>
#include <sys/syscall.h>

enum {
    /* off the thread's own stack, addresses this close are one stack */
    NEAR_PARENT = 64 * 1024,
    NEAR_DEAD = 1024,
};

static bool on_own_stack(const struct lane *lane, uint64_t sp)
{
    return sp >= lane->stack_low && sp < lane->stack_high;
}

static bool is_near(const struct lane *lane, uint64_t a, uint64_t b,
                    uint64_t distance)
{
    bool a_own = on_own_stack(lane, a), b_own = on_own_stack(lane, b);
    if (a_own || b_own)
        return a_own && b_own;
    return (a < b ? b - a : a - b) < distance;
}

bool span_same_stack(const struct lane *lane, uint64_t a, uint64_t b)
{
    return is_near(lane, a, b, NEAR_PARENT);
}

static bool is_open(uint64_t state)
{
    return state == LANE_OPEN_CALL || state == LANE_OPEN_TAIL;
}

/* End an entry that no leave will end. */
static void claim_and_end(struct lane *lane, struct lane_open *open,
                          uint64_t t1, enum lane_end end)
{
    struct lane_open copy = *open;
    uint64_t state = copy.state;
    if (is_open(state) &&
        lane_cmpxchg_own(&open->state, &state, LANE_OPEN_DONE))
        span_end_open(lane, &copy, t1, end);
}

void span_pop_done(struct lane *lane)
{
    uint64_t depth = lane->depth;
    while (depth > 0 && depth <= LANE_OPEN_MAX &&
           lane->open[depth - 1].state == LANE_OPEN_DONE) {
        lane->open[depth - 1].state = LANE_OPEN_FREE;
        depth--;
        __atomic_store_n(&lane->depth, depth, __ATOMIC_RELAXED);
    }
}

/* Its frame is gone if a call now stands at or above it, on its stack. */
static bool is_dead(const struct lane *lane, const struct lane_open *open,
                    uint64_t sp, bool is_tail)
{
    if (open->sp == sp)
        return !is_tail;
    return open->sp < sp && is_near(lane, open->sp, sp, NEAR_DEAD);
}

void span_settle(struct lane *lane, uint64_t sp, bool is_tail)
{
    uint64_t i = lane->depth;
    uint64_t t1 = 0;
    if (i > LANE_OPEN_MAX) {
        if (!is_dead(lane, &lane->open[LANE_OPEN_MAX - 1], sp, is_tail))
            return;
        /* what was deeper went with it, unseen */
        __atomic_fetch_add(&runtime.map.session->lost_calls, i - LANE_OPEN_MAX,
                           __ATOMIC_RELAXED);
        i = LANE_OPEN_MAX;
        lane->depth = i;
    }
    for (; i > 0; i--) {
        struct lane_open *open = &lane->open[i - 1];
        uint64_t state = open->state;
        if (state == LANE_OPEN_FREE)
            break; /* we interrupt its opener: all below is alive */
        if (state == LANE_OPEN_DONE)
            continue;
        if (is_dead(lane, open, sp, is_tail)) {
            t1 = t1 ? t1 : span_now();
            claim_and_end(lane, open, t1, LANE_END_LONGJMP);
        } else if (span_same_stack(lane, open->sp, sp)) {
            break; /* older ones on this stack are above it */
        }
    }
    span_pop_done(lane);
}

static bool on_signal_stack(uint64_t sp)
{
    stack_t stack = {.ss_flags = SS_DISABLE};
    if (!sandboxed)
        machine_syscall(SYS_sigaltstack, 0, (long)&stack, 0, 0, 0, 0);
    return (stack.ss_flags & SS_DISABLE) == 0 &&
           sp - (uint64_t)stack.ss_sp < stack.ss_size;
}

struct span_place span_find_place(struct lane *lane, uint64_t sp)
{
    struct span_place root = {span_thread.root, span_thread.context};
    const struct lane_open *innermost = NULL, *own = NULL;
    uint64_t i = lane->depth < LANE_OPEN_MAX ? lane->depth : LANE_OPEN_MAX;
    for (; i > 0; i--) {
        const struct lane_open *open = &lane->open[i - 1];
        if (!is_open(open->state))
            continue;
        if (open->sp >= sp && span_same_stack(lane, open->sp, sp))
            return (struct span_place){open->span,
                                       open->context_depth & 0xffffff};
        innermost = innermost ? innermost : open;
        if (own == NULL && on_own_stack(lane, open->sp))
            own = open;
    }
    /* The first call on its stack. A signal handler stands on whatever it
     * interrupted; a fiber under whoever resumed it on the thread's stack. */
    if (innermost == NULL || on_own_stack(lane, sp))
        return root;
    if (on_signal_stack(sp))
        own = innermost;
    if (own == NULL)
        return root;
    return (struct span_place){own->span, own->context_depth & 0xffffff};
}

struct lane_open *span_tail_base(struct lane *lane,
                                 const struct shim_call *call)
{
    uint64_t depth = lane->depth;
    if (depth == 0 || depth > LANE_OPEN_MAX)
        return NULL;
    struct lane_open *top = &lane->open[depth - 1];
    if (!is_open(top->state))
        return NULL;
    if (top->sp == call->sp)
        return top; /* a Z call, or a tail span */
    return top->state == LANE_OPEN_CALL &&
                   top->sp == call->sp + SHIM_FRAME_STRIDE
               ? top
               : NULL;
}

void span_close_above(struct lane *lane, struct lane_open *open, uint64_t t1,
                      enum lane_end end)
{
    uint64_t index = (uint64_t)(open - lane->open);
    if (lane->depth > LANE_OPEN_MAX)
        lane->depth = LANE_OPEN_MAX;
    uint64_t top = lane->depth;
    uint64_t tails = index + 1; /* first entry that is no tail span of ours */
    while (tails < top && lane->open[tails].state == LANE_OPEN_TAIL &&
           span_same_stack(lane, lane->open[tails].sp, open->sp))
        tails++;
    for (uint64_t i = top; i > index + 1; i--) {
        struct lane_open *above = &lane->open[i - 1];
        if (above->state == LANE_OPEN_FREE)
            above->state = LANE_OPEN_DONE; /* its opener was longjmped over */
        else if (i <= tails)
            claim_and_end(lane, above, t1, end);
        else if (above->sp <= open->sp &&
                 span_same_stack(lane, above->sp, open->sp))
            claim_and_end(lane, above, t1, LANE_END_LONGJMP);
    }
}

void span_drop(struct lane *lane, struct lane_open *open)
{
    __atomic_store_n(&open->state, (uint64_t)LANE_OPEN_DONE, __ATOMIC_RELEASE);
    span_pop_done(lane);
}
