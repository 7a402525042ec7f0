/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks on the lane's stack of open spans: from here on, on this machine
 * stack, the work is that of an item which was popped. docs/context.md says
 * how long a mark holds.
 *
 * An entry of state CONTEXT, its words used so: span and context whose work it
 * is, sp where the pop was called, t0_ticks and parent when the item was
 * carried and adopted (0: told already), capture and cpu_ns the address of the
 * popping function's own return address and what stood there (if that is known,
 * sp is this address), site_kind see below.
 *
 * Within enter and leave, as span_stack.c.
 */
#include "preload/call/record/span_internal.h"
#include "preload/call/stack/fiber.h"
#include "lane/format/assert.h"

/* site_kind: why it is an orphan, is the function that popped called directly
 * (CARRY_FRAME_DIRECT), how far below sp was the pop called, in words. */
enum {
    KIND_DIRECT = 1 << 8,
    KIND_WORDS_SHIFT = 9,
    WORDS_MAX = 1 << 20,
};

static uint64_t pop_sp(const struct lane_open *open)
{
    return open->sp - ((uint64_t)(open->site_kind >> KIND_WORDS_SHIFT) << 3);
}

/* The word of a frame that stands in a mark, which anybody may have changed: it
 * is read where it lies on a stack that is known. */
static bool has_word(uint64_t at, uint64_t word)
{
    uint64_t low, high;
    if (at - span_thread.stack_low >=
            span_thread.stack_high - span_thread.stack_low &&
        fiber_find(at, &low, &high) == NULL)
        return false;
    return *(const uint64_t *)(at & ~UINT64_C(7)) == word;
}

/*
 * Does the function that popped still run, seen from a call at `sp` on its
 * stack? Below its frame, it may be gone and another one stand in its place:
 * then its return address is overwritten. Where that is not known, only its own
 * calls count. A call above the pop's that would return to where the function
 * would is a tail call: by the function, if nothing else is called from there;
 * else nobody knows: span_context_is_sure().
 */
bool span_context_holds(const struct lane_open *open, uint64_t sp)
{
    if (sp > open->sp)
        return false;
    if (open->capture == 0)
        return sp == open->sp;
    return has_word(open->capture, open->cpu_ns);
}

bool span_context_is_sure(const struct lane_open *open, uint64_t sp)
{
    return sp <= pop_sp(open) || (open->site_kind & KIND_DIRECT) != 0;
}

uint8_t span_context_orphan(const struct lane_open *open)
{
    return (uint8_t)open->site_kind;
}

void span_context_origin(struct lane_open *open, uint64_t sp,
                         struct span_origin *origin)
{
    if (!span_context_is_sure(open, sp)) {
        *origin = span_orphan(LANE_ORPHAN_RETURNED);
        return;
    }
    origin->is_apart = true;
    origin->orphan = span_context_orphan(open);
    origin->carried_ticks = open->t0_ticks;
    origin->adopted_ticks = open->parent;
    origin->mark = open;
}

static void drop(struct lane_open *open)
{
    /* release; pairs with look_in() */
    __atomic_store_n(&open->state, (uint64_t)LANE_OPEN_DONE, __ATOMIC_RELEASE);
}

void span_drop_contexts(struct lane *lane, uint64_t sp)
{
    lane_assert(span_is_own(lane));
    uint64_t i = span_depth(lane);
    if (i == 0)
        return;
    struct span_machine_stack stack = span_stack_at(sp);
    for (; i > 0; i--) {
        struct lane_open *open = &lane->open[i - 1];
        if (open->state == LANE_OPEN_FREE)
            break; /* we interrupt its opener */
        if (open->sp < stack.low || open->sp >= stack.high)
            continue; /* of another stack */
        if (span_state(open) == LANE_OPEN_CONTEXT && pop_sp(open) <= sp)
            drop(open);
        else if (open->state != LANE_OPEN_DONE)
            break;
    }
    span_pop_done(lane);
}

bool span_push_context(struct lane *lane, uint64_t sp, uint64_t frame,
                       const struct span_origin *origin)
{
    lane_assert(span_is_own(lane));
    uint64_t depth = span_depth_seen(lane);
    if (depth >= LANE_OPEN_MAX)
        return false;
    bool direct = (frame & CARRY_FRAME_DIRECT) != 0;
    frame &= ~(uint64_t)CARRY_FRAME_DIRECT;
    uint64_t words = (frame - sp) / 8;
    if (!span_on_own_stack(sp) || frame >= span_thread.stack_high) {
        struct span_machine_stack stack = span_stack_at(sp);
        if (!stack.is_exact || frame >= stack.high)
            frame = 0;
    }
    if (frame <= sp || words >= WORDS_MAX)
        frame = 0;
    struct lane_open *open = &lane->open[depth];
    __atomic_store_n(&lane->depth, depth + 1, __ATOMIC_RELAXED);
    /* pairs with a handler of this thread, that looks or takes one */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    open->t0_ticks = origin->carried_ticks;
    open->span = origin->parent;
    open->parent = origin->adopted_ticks;
    open->capture = frame;
    open->cpu_ns = frame ? *(const uint64_t *)frame : 0;
    open->sp = frame ? frame : sp;
    open->site_kind = origin->orphan;
    if (frame)
        open->site_kind |= (direct ? KIND_DIRECT : 0) | (uint32_t)words
                                                            << KIND_WORDS_SHIFT;
    open->context_depth = origin->context;
    /* release; pairs with look_in() */
    __atomic_store_n(&open->state, (uint64_t)LANE_OPEN_CONTEXT,
                     __ATOMIC_RELEASE);
    return true;
}

bool span_take_context(uint32_t *context)
{
    lane_assert(runtime.map.contexts != NULL);
    struct lane_session *session = runtime.map.session;
    int64_t index = lane_table_take(&runtime.map, LANE_TABLE_CONTEXTS,
                                    &session->context_next, 1);
    if (index < 0) {
        __atomic_fetch_add(&session->lost_contexts, 1, __ATOMIC_RELAXED);
        return false;
    }
    struct lane_context *entry = &runtime.map.contexts[index];
    const struct lane_context *mine =
        &runtime.map.contexts[span_process.context];
    uint64_t id[2], base[2];
    __builtin_memcpy(base, mine->trace_id, sizeof base);
    id[0] = lane_mix64(base[0] ^ session->key ^ (uint64_t)index);
    id[1] = lane_mix64(base[1] + session->key + id[0]);
    if ((id[0] | id[1]) == 0)
        id[1] = 1; /* W3C forbids it */
    __builtin_memcpy(entry->trace_id, id, sizeof id);
    entry->remote_parent = 0;
    entry->flags = mine->flags;
    /* release; pairs with the reader's acquire */
    __atomic_store_n(&entry->state, 1, __ATOMIC_RELEASE);
    *context = (uint32_t)index;
    return true;
}
