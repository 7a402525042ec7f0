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
#include "preload/call/stack/fiber.h"
#include "preload/call/record/span_internal.h"
#include "preload/call/record/sandbox.h"
#include "lane/format/assert.h"

#include <signal.h>
#include <sys/syscall.h>

enum {
    /* on a stack that is not known, addresses this close are one stack. Its
     * neighbour may be another fiber's: a parent that is farther away is not
     * found, which is better than a wrong one. */
    NEAR_PARENT = 8 * 1024,
    NEAR_DEAD = 1024,
    DONE_DEPTH = 64, /* deeper calls take entries that were closed below */
    /* what is taken for its stack where nobody knows, to either side */
    UNKNOWN_BYTES = 64 * 1024,
};

struct span_machine_stack span_stack_at(uint64_t sp)
{
    struct span_machine_stack stack = {span_thread.stack_low,
                                       span_thread.stack_high, true, NULL};
    if (span_on_own_stack(sp))
        return stack;
    stack.fiber = fiber_find(sp, &stack.low, &stack.high);
    if (stack.fiber == NULL) {
        stack.is_exact = false;
        stack.low = sp - NEAR_PARENT;
        stack.high = sp + NEAR_PARENT;
    }
    return stack;
}

static bool is_on(const struct span_machine_stack *stack, uint64_t sp)
{
    return sp >= stack->low && sp < stack->high;
}

bool span_same_stack(uint64_t a, uint64_t b)
{
    struct span_machine_stack stack = span_stack_at(a);
    return is_on(&stack, b);
}

/* ---- how much of a stack is ours ---------------------------------------
 * F takes SHIM_FRAME_STRIDE bytes of it for each call that is open: an eighth
 * of it at most, and nothing where it ends. */

uint64_t span_end_bytes(uint64_t stack_bytes)
{
    uint64_t part = stack_bytes / 4;
    return part < SHIM_NEAR_END ? part : SHIM_NEAR_END;
}

uint64_t span_most_frames(uint64_t stack_bytes)
{
    return stack_bytes / 8 / SHIM_FRAME_STRIDE;
}

static uint64_t count_frames(const struct lane *lane, uint64_t low,
                             uint64_t high)
{
    uint64_t count = 0;
    uint64_t i = span_depth(lane);
    for (; i > 0; i--)
        count += lane->open[i - 1].sp - low < high - low;
    return count +
           (lane->depth - i > LANE_OPEN_MAX ? lane->depth - LANE_OPEN_MAX : 0);
}

bool span_is_stack_full(const struct lane *lane, const struct shim_call *call)
{
    lane_assert(lane != NULL);
    struct span_machine_stack stack = span_stack_at(call->sp);
    if (!stack.is_exact) {
        stack.low = call->sp - UNKNOWN_BYTES;
        stack.high = call->sp + UNKNOWN_BYTES;
    } else if (call->sp - stack.low < span_end_bytes(stack.high - stack.low)) {
        return true;
    }
    uint64_t most = span_most_frames(stack.high - stack.low);
    return (call->flags & SHIM_CALL_ZERO_COPY) == 0 && lane->depth >= most &&
           count_frames(lane, stack.low, stack.high) >= most;
}

uint64_t span_pass(uint64_t index)
{
    lane_assert(index != 0 && index < SHIM_SITE_MAX);
    const struct site *site = &runtime.sites[index];
    const struct lane_session *session = runtime.map.session;
    if (site->flags & SITE_INTERNAL)
        return site->flags & SITE_MAY_PASS ? site->target : 0;
    if (session && runtime_is_recording() && span_busy == 0 &&
        (site->flags & (SITE_OFF | SITE_NO_SPAN)) == 0)
        span_count_passed(index);
    return site->target;
}

static bool is_open(uint64_t state)
{
    return state == LANE_OPEN_CALL || state == LANE_OPEN_TAIL;
}

/* End an entry that no leave will end. */
static void claim_and_end(struct lane *lane, struct lane_open *open,
                          uint64_t t1, enum lane_end end)
{
    lane_assert(span_has_entry(lane, open) && end <= LANE_END_EVENT);
    struct lane_open copy = *open;
    uint64_t state = copy.state & LANE_OPEN_STATE;
    if (state == LANE_OPEN_CONTEXT)
        /* release; pairs with look_in() */
        __atomic_store_n(&open->state, (uint64_t)LANE_OPEN_DONE,
                         __ATOMIC_RELEASE);
    if (!is_open(state) || !span_claim(open, &copy))
        return;
    if (end == LANE_END_LONGJMP)
        span_count_late(LANE_SITE_OF(copy.site_kind));
    span_end_open(lane, &copy, t1, end);
}

void span_pop_done(struct lane *lane)
{
    lane_assert(span_is_own(lane));
    uint64_t depth = span_depth_seen(lane);
    while (depth > 0 && depth <= LANE_OPEN_MAX &&
           lane->open[depth - 1].state == LANE_OPEN_DONE) {
        lane->open[depth - 1].state = LANE_OPEN_FREE;
        depth--;
        __atomic_store_n(&lane->depth, depth, __ATOMIC_RELAXED);
    }
}

/* One that was closed below, for a call at `sp`; false: none. */
static bool take_done(struct lane *lane, uint64_t sp, uint64_t *depth)
{
    lane_assert(span_is_own(lane));
    struct span_machine_stack stack = span_stack_at(sp);
    uint64_t found = LANE_OPEN_MAX, done = LANE_OPEN_DONE;
    uint64_t i = *depth < LANE_OPEN_MAX ? *depth : LANE_OPEN_MAX;
    for (; i > 0; i--) {
        const struct lane_open *open = &lane->open[i - 1];
        if (open->state == LANE_OPEN_DONE)
            found = i - 1;
        else if (open->state == LANE_OPEN_FREE || is_on(&stack, open->sp))
            break;
    }
    /* a handler that came in between may have popped it */
    if (found == LANE_OPEN_MAX ||
        !lane_cmpxchg_own(&lane->open[found].state, &done, LANE_OPEN_FREE))
        return false;
    *depth = found;
    lane_assert(found < LANE_OPEN_MAX);
    return true;
}

uint64_t span_find_entry(struct lane *lane, const struct shim_call *call)
{
    lane_assert(span_is_own(lane));
    uint64_t depth = span_depth_seen(lane);
    if (depth >= DONE_DEPTH && !(call->flags & SHIM_CALL_TAIL))
        (void)take_done(lane, call->sp, &depth);
    return depth;
}

/* Its frame is gone if a call now stands at or above it, on its stack. */
static bool is_dead(const struct span_machine_stack *stack,
                    const struct lane_open *open, uint64_t sp, bool is_tail)
{
    if (span_state(open) == LANE_OPEN_CONTEXT)
        return is_on(stack, open->sp) && !span_context_holds(open, sp);
    if (open->sp == sp)
        return !is_tail;
    return open->sp < sp && is_on(stack, open->sp) &&
           (stack->is_exact || sp - open->sp < NEAR_DEAD);
}

void span_settle(struct lane *lane, uint64_t sp, bool is_tail)
{
    lane_assert(span_is_own(lane));
    struct span_machine_stack stack = span_stack_at(sp);
    uint64_t i = span_depth_seen(lane);
    uint64_t t1 = 0;
    if (i > LANE_OPEN_MAX) {
        if (!is_dead(&stack, &lane->open[LANE_OPEN_MAX - 1], sp, is_tail))
            return;
        i = LANE_OPEN_MAX; /* what was deeper went with it, unseen */
        lane->depth = i;
        span_forget_deep(lane);
    }
    for (; i > 0; i--) {
        struct lane_open *open = &lane->open[i - 1];
        uint64_t state = span_state(open);
        if (state == LANE_OPEN_FREE)
            break; /* we interrupt its opener: all below is alive */
        if (state == LANE_OPEN_DONE)
            continue;
        if (is_dead(&stack, open, sp, is_tail)) {
            t1 = t1 ? t1 : span_now();
            claim_and_end(lane, open, t1, LANE_END_LONGJMP);
        } else if (is_on(&stack, open->sp)) {
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

/* What the entry says of a call that it is the innermost one for. */
static struct span_origin origin_in(struct lane_open *open, uint64_t sp)
{
    struct span_origin origin = {.parent = open->span,
                                 .context = open->context_depth & 0xffffff};
    if (span_state(open) == LANE_OPEN_CONTEXT)
        span_context_origin(open, sp, &origin);
    return origin;
}

struct span_origin span_orphan(enum lane_orphan reason)
{
    lane_assert(reason >= LANE_ORPHAN_NO_CARRIER && reason <= UINT8_MAX);
    return (struct span_origin){.parent = span_process.ref,
                                .context = span_process.context,
                                .is_apart = true,
                                .is_outermost = true,
                                .orphan = (uint8_t)reason};
}

/* A call on a fiber's stack: what is innermost there may have been opened on
 * another thread. `own`: in this lane, or NULL. With nothing open it is the
 * work of who made the fiber. */
static struct span_origin origin_of_fiber(const struct lane *lane,
                                          struct fiber *fiber, uint64_t sp,
                                          struct lane_open *own)
{
    lane_assert(fiber != NULL);
    struct lane_open copy;
    struct span_origin origin = {.is_apart = true, .is_outermost = true};
    if (fiber_find_open(fiber, lane, sp, &copy) &&
        (own == NULL || copy.sp < own->sp)) {
        origin = origin_in(&copy, sp);
        origin.mark = NULL;
        origin.carried_ticks = 0; /* told on its own lane */
        origin.is_apart = true;
        return origin;
    }
    if (own)
        return origin_in(own, sp);
    struct span_place maker = fiber_maker(fiber);
    origin.parent = maker.parent;
    origin.context = maker.context;
    return origin;
}

bool span_find_fiber_place(uint64_t sp, struct span_place *out)
{
    uint64_t low, high;
    struct fiber *fiber = fiber_find(sp, &low, &high);
    if (fiber == NULL)
        return false;
    struct span_origin origin = origin_of_fiber(NULL, fiber, sp, NULL);
    *out = (struct span_place){origin.parent, origin.context};
    return true;
}

struct span_origin span_find_origin(struct lane *lane, uint64_t sp)
{
    lane_assert(span_is_own(lane));
    struct span_machine_stack stack = span_stack_at(sp);
    struct lane_open *innermost = NULL, *own = NULL;
    uint64_t i = span_depth(lane);
    for (; i > 0; i--) {
        struct lane_open *open = &lane->open[i - 1];
        uint64_t state = span_state(open);
        if (!is_open(state) && state != LANE_OPEN_CONTEXT)
            continue;
        if (state == LANE_OPEN_CONTEXT && is_on(&stack, open->sp) &&
            !span_context_holds(open, sp))
            continue; /* nobody settled since the popping function is gone */
        if (open->sp >= sp && is_on(&stack, open->sp)) {
            own = open;
            break;
        }
        innermost = innermost ? innermost : open;
    }
    if (stack.fiber)
        return origin_of_fiber(lane, stack.fiber, sp, own);
    if (own)
        return origin_in(own, sp);
    if (!stack.is_exact && on_signal_stack(sp) && innermost)
        return origin_in(innermost, sp); /* a handler stands on what it met */
    if (!stack.is_exact && innermost)
        return span_orphan(LANE_ORPHAN_STACK);
    return (struct span_origin){.parent = span_thread.root,
                                .context = span_thread.context,
                                .is_outermost = true};
}

struct span_place span_find_place(struct lane *lane, uint64_t sp)
{
    struct span_origin origin = span_find_origin(lane, sp);
    return (struct span_place){origin.parent, origin.context};
}

struct span_place span_of_host(uint64_t sp)
{
    struct lane *lane = span_lane;
    if (lane == NULL || *runtime.alive != span_thread.alive ||
        span_stack_at(sp).is_exact)
        return span_here();
    uint64_t i = span_depth(lane);
    for (; i > 0; i--) {
        struct lane_open *open = &lane->open[i - 1];
        uint64_t state = span_state(open);
        if (is_open(state) || state == LANE_OPEN_CONTEXT)
            return (struct span_place){open->span,
                                       open->context_depth & 0xffffff};
    }
    return (struct span_place){span_thread.root, span_thread.context};
}

struct lane_open *span_tail_base(struct lane *lane,
                                 const struct shim_call *call)
{
    lane_assert(span_is_own(lane) && (call->flags & SHIM_CALL_TAIL) != 0);
    uint64_t depth = span_depth_seen(lane);
    if (depth == 0 || depth > LANE_OPEN_MAX)
        return NULL;
    struct lane_open *top = &lane->open[depth - 1];
    if (!is_open(span_state(top)))
        return NULL;
    if (top->sp == call->sp)
        return top; /* a Z call, or a tail span */
    uint64_t stride = top->sp - call->sp;
    return span_state(top) == LANE_OPEN_CALL &&
                   (stride == SHIM_FRAME_STRIDE || stride == SHIM_COPY_STRIDE)
               ? top
               : NULL;
}

void span_close_above(struct lane *lane, struct lane_open *open, uint64_t t1,
                      enum lane_end end)
{
    lane_assert(span_is_own(lane) && span_has_entry(lane, open));
    uint64_t index = (uint64_t)(open - lane->open);
    if (lane->depth > LANE_OPEN_MAX)
        lane->depth = LANE_OPEN_MAX;
    uint64_t top = span_depth(lane);
    uint64_t tails = index + 1; /* first entry that is no tail span of ours */
    while (tails < top && span_state(&lane->open[tails]) == LANE_OPEN_TAIL &&
           span_same_stack(open->sp, lane->open[tails].sp))
        tails++;
    for (uint64_t i = top; i > index + 1; i--) {
        struct lane_open *above = &lane->open[i - 1];
        if (above->state == LANE_OPEN_FREE)
            above->state = LANE_OPEN_DONE; /* its opener was longjmped over */
        else if (i <= tails)
            claim_and_end(lane, above, t1, end);
        else if (above->sp <= open->sp && span_same_stack(open->sp, above->sp))
            claim_and_end(lane, above, t1, LANE_END_LONGJMP);
    }
}

void span_end_stack(struct lane *lane, struct lane *of, uint64_t low,
                    uint64_t high)
{
    lane_assert(low <= high && span_is_own(lane));
    uint64_t t1 = 0, i = span_depth(of);
    for (; i > 0; i--) {
        struct lane_open *open = &of->open[i - 1];
        struct lane_open copy = *open;
        uint64_t state = copy.state & LANE_OPEN_STATE;
        if (copy.sp < low || copy.sp >= high ||
            (!is_open(state) && state != LANE_OPEN_CONTEXT) ||
            !span_take(open, &copy) || state == LANE_OPEN_CONTEXT)
            continue;
        t1 = t1 ? t1 : span_now();
        span_end_open(lane, &copy, t1, LANE_END_UNKNOWN);
    }
    if (of == lane)
        span_pop_done(lane);
}

void span_drop(struct lane *lane, struct lane_open *open)
{
    lane_assert(span_is_own(lane) && span_has_entry(lane, open));
    /* release; pairs with look_in() */
    __atomic_store_n(&open->state, (uint64_t)LANE_OPEN_DONE, __ATOMIC_RELEASE);
    span_pop_done(lane);
}

/* ---- for others ------------------------------------------------------- */

struct span_place span_here(void)
{
    struct lane *lane = span_lane;
    struct span_place place;
    uint64_t sp = (uint64_t)__builtin_frame_address(0);
    if (lane != NULL && *runtime.alive == span_thread.alive)
        return span_find_place(lane, sp);
    if (span_find_fiber_place(sp, &place))
        return place;
    if (span_thread.root_alive == *runtime.alive && *runtime.alive != 0)
        return (struct span_place){span_thread.root, span_thread.context};
    return (struct span_place){span_process.ref, span_process.context};
}

void span_close_all(enum lane_end end)
{
    struct lane *lane = span_lane;
    if (lane == NULL || *runtime.alive != span_thread.alive)
        return;
    uint64_t t1 = span_now();
    uint64_t depth = span_depth(lane);
    for (; depth > 0; depth--) {
        struct lane_open *open = &lane->open[depth - 1];
        if (is_open(span_state(open)))
            span_end_open(lane, open, t1, end);
        /* release; pairs with look_in() and the sidecar's copy */
        __atomic_store_n(&open->state, (uint64_t)LANE_OPEN_FREE,
                         __ATOMIC_RELEASE);
    }
    __atomic_store_n(&lane->depth, 0, __ATOMIC_RELAXED);
}
