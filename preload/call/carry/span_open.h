/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of opening a span on the plain way: a call on the thread's own
 * stack, its lane at hand. Inline: span.c and carry_plain.c are made of them.
 */
#pragma once
#include "preload/call/record/span_internal.h"
#include "lane/format/assert.h"

/* To the compiler an address like any other: it keeps it in one register
 * instead of working it out again, in two, for each word. */
#define SPAN_ONE_ADDRESS(pointer) __asm__("" : "+r"(pointer))

/* The usual case: the innermost open span is on this stack, above us. */
static inline bool find_plain_place(const struct lane *lane, uint64_t depth,
                                    uint64_t sp, struct span_place *place)
{
    lane_assert(span_thread.depth_most <= LANE_OPEN_MAX);
    lane_assert(span_thread.stack_low <= span_thread.stack_high);
    place->parent = span_thread.root;
    place->context = span_thread.context;
    if (depth == 0)
        return true;
    if (UNLIKELY(depth >= span_thread.depth_most))
        return false;
    const struct lane_open *below = &lane->open[depth - 1];
    SPAN_ONE_ADDRESS(below);
    if (UNLIKELY(below->state - 1 > LANE_OPEN_TAIL - 1 || below->sp <= sp ||
                 below->sp >= span_thread.stack_high ||
                 sp < span_thread.stack_low))
        return false;
    place->parent = below->span;
    place->context = below->context_depth & 0xffffff;
    return true;
}

/* Site and kind, context and depth: two words of a record, as one. */
static inline uint64_t *site_and_context(struct lane_open *open)
{
    _Static_assert(offsetof(struct lane_open, context_depth) ==
                           offsetof(struct lane_open, site_kind) + 4 &&
                       offsetof(struct lane_open, site_kind) % 8 == 0,
                   "one word");
    return (uint64_t *)(void *)&open->site_kind;
}

/* Fill an entry in that is ours; all but time and state. */
static inline struct lane_open *fill_open(struct lane *lane, uint64_t depth,
                                          struct shim_call *call,
                                          const struct span_place *place)
{
    lane_assert(span_is_own(lane) && depth < LANE_OPEN_MAX);
    lane_assert(call->site != 0 && call->site < LANE_SITE_MAX);
    lane_assert(place->context < 1u << 24);
    struct lane_open *open = &lane->open[depth];
    SPAN_ONE_ADDRESS(open);
    uint64_t span = span_thread.ref_base + lane_xadd_own(&lane->counter, 1) + 1;
    open->span = span;
    open->parent = place->parent;
    open->capture = 0;
    open->sp = call->sp;
    *site_and_context(open) =
        call->site | (uint64_t)place->context << 32 | depth << 56;
    call->lane = (uint64_t)lane;
    call->open = (uint64_t)open;
    call->span = span;
    call->extra = depth;
    return open;
}

/* Take the entry at `depth` and fill it in. */
static inline struct lane_open *take_open(struct lane *lane, uint64_t depth,
                                          struct shim_call *call,
                                          const struct span_place *place)
{
    lane_assert(depth < LANE_OPEN_MAX);
    __atomic_store_n(&lane->depth, depth + 1, __ATOMIC_RELAXED);
    /* pairs with a handler of this thread, that takes the next one */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return fill_open(lane, depth, call, place);
}

/* The last of opening: what comes after counts. */
static inline void start_open(struct lane_open *open, uint64_t tick,
                              uint64_t base, enum lane_open_state state)
{
    lane_assert(state == LANE_OPEN_CALL || state == LANE_OPEN_TAIL);
    open->cpu_ns = base;
    open->t0_ticks = tick;
    /* release; pairs with the reader's acquire of an open entry */
    __atomic_store_n(&open->state, (uint64_t)state, __ATOMIC_RELEASE);
}
