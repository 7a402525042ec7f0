/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enter and leave: the path of every traced call.
 *
 * The plain way is inline below: a call on the thread's own stack, its lane at
 * hand. Without captures it makes no call but to cpu_resync() after a context
 * switch. Whatever is else goes to span_enter_general() and
 * span_leave_general().
 *
 * [any thread, signal handlers, between any two instructions of the program].
 * General registers only; no libc; errno is not touched.
 */
#include "preload/call/carry/span_open.h"

#include "preload/call/capture/capture_words.h"
#include "preload/call/carry/carry.h"
#include "preload/call/record/cpu.h"
#include "preload/call/span_general.h"
#include "lane/format/assert.h"

/* ---- enter ------------------------------------------------------------ */

/* The thread was switched out since its last reading, or that was long ago. */
static void __attribute__((noinline))
start_after_switch(struct lane *lane, struct lane_open *open)
{
    cpu_resync(lane);
    uint64_t tick = machine_ticks();
    start_open(open, tick, cpu_base(lane, tick), LANE_OPEN_CALL);
}

/* Not a plain span's site, or we are called out of ourselves. */
static void __attribute__((noinline))
enter_other(struct shim_call *call, const struct site *site, struct lane *lane)
{
    lane_assert(lane != NULL && site == &runtime.sites[call->site]);
    uint32_t flags = site->flags & ~(uint32_t)SITE_CAPTURES;
    if (span_busy != 0 || (flags & SITE_CARRY) == 0 ||
        !carry_enter_plain(call, site, lane, flags))
        span_enter_general(call, site);
}

void span_enter(struct shim_call *call)
{
    lane_assert(call->site != 0 && call->site < SHIM_SITE_MAX);
    lane_assert(span_lane == NULL || span_lane >= runtime.map.lanes);
    const struct site *site = &runtime.sites[call->site];
    SPAN_ONE_ADDRESS(site);
    struct lane *lane = span_lane;
    struct span_place place;
    call->target = site->target;
    if (UNLIKELY(lane == NULL || call->flags > SHIM_CALL_ZERO_COPY ||
                 *runtime.alive != span_thread.alive ||
                 runtime.map.session->gate != LANE_GATE_OPEN)) {
        span_enter_general(call, site);
        return;
    }
    if (UNLIKELY(((site->flags & ~(uint32_t)SITE_CAPTURES) | span_busy) != 0)) {
        enter_other(call, site, lane);
        return;
    }
    uint64_t depth = span_depth_seen(lane);
    if (UNLIKELY(!find_plain_place(lane, depth, call->sp, &place))) {
        if (!span_on_own_stack(call->sp) || !carry_enter_popped(call, site))
            span_enter_general(call, site);
        return;
    }
    struct lane_open *open = take_open(lane, depth, call, &place);
    if (UNLIKELY(site->flags != 0))
        span_enter_captures(call, site, lane, open);
    uint64_t tick = machine_ticks();
    if (UNLIKELY(!cpu_is_fresh(lane, tick))) {
        start_after_switch(lane, open);
        return;
    }
    start_open(open, tick, lane->cpu_base_ns, LANE_OPEN_CALL);
}

/* The hooks where the session's clock is not rdtsc. */
static void enter_any(struct shim_call *call)
{
    lane_assert(call->site != 0 && call->site < SHIM_SITE_MAX);
    const struct site *site = &runtime.sites[call->site];
    call->target = site->target;
    span_enter_general(call, site);
}

/* ---- leave ------------------------------------------------------------ */

/* The entry is free again; what was closed out of order below it goes, too. */
static inline void close_open(struct lane *lane, struct lane_open *open,
                              uint64_t depth)
{
    /* release; pairs with look_in() and the sidecar's copy. After the record: a
     * process that is killed in between has both, and the reader prefers the
     * record */
    __atomic_store_n(&open->state, (uint64_t)LANE_OPEN_FREE, __ATOMIC_RELEASE);
    __atomic_store_n(&lane->depth, depth, __ATOMIC_RELAXED);
    if (UNLIKELY(depth != 0 && open[-1].state == LANE_OPEN_DONE))
        span_pop_done(lane);
}

/* Where its record goes; NULL: there is no room. */
static inline struct lane_record *take_line(struct lane *lane, uint64_t *at)
{
    *at = lane_reserve_line(lane);
    if (UNLIKELY(*at == 0))
        return NULL;
    return (void *)lane_at(&runtime.map, lane, &span_thread.window, *at);
}

/* The record of a call that returned, but for its capture and its site. */
static inline void put_times(struct lane_record *record,
                             const struct lane *lane,
                             const struct lane_open *open, uint64_t tick)
{
    uint64_t t0 = open->t0_ticks;
    record->t0_ticks = t0;
    record->t1_ticks = tick;
    record->span = open->span;
    record->parent = open->parent;
    record->cpu_ns = cpu_spent(lane, open->cpu_ns, t0, tick);
}

static inline void commit(struct lane_record *record, uint64_t at)
{
    /* release; pairs with the reader's acquire of the commit word */
    __atomic_store_n(&record->commit, span_thread.commit_base | at,
                     __ATOMIC_RELEASE);
}

/* The same, what came out in the place of where its inputs stand. False: there
 * is no room. */
static inline bool end_with_value(const struct shim_call *call,
                                  const struct shim_regs *regs,
                                  struct lane *lane, struct lane_open *open,
                                  uint64_t tick)
{
    uint64_t at;
    struct lane_record *record = take_line(lane, &at);
    if (UNLIKELY(record == NULL))
        return false;
    put_times(record, lane, open, tick);
    record->capture =
        capture_value_of(runtime.sites[call->site].capture, call, regs);
    *(uint64_t *)(void *)&record->site_status =
        *site_and_context(open) | span_value_bits(open->capture);
    commit(record, at);
    close_open(lane, open, (uint32_t)call->extra);
    return true;
}

/* The plain way, with outputs or rules. */
static void __attribute__((noinline))
leave_capturing(struct shim_call *call, const struct shim_regs *regs,
                struct lane *lane, struct lane_open *open, uint64_t tick)
{
    lane_assert(span_is_own(lane) && span_has_entry(lane, open));
    lane_assert((call->flags & SPAN_OUT) != 0);
    lane_assert((uint32_t)call->extra < LANE_OPEN_MAX);
    struct lane_record record;
    uint64_t t0 = open->t0_ticks, depth = (uint32_t)call->extra;
    uint64_t cpu_ns = cpu_spent(lane, open->cpu_ns, t0, tick);
    span_fill(&record, open, tick, cpu_ns, LANE_END_RETURN);
    span_leave_captures(lane, call, regs, &record);
    span_write(lane, &record);
    close_open(lane, open, depth);
}

static void __attribute__((noinline))
leave_with_outputs(struct shim_call *call, const struct shim_regs *regs,
                   struct lane *lane, struct lane_open *open, uint64_t tick)
{
    if ((call->flags & SPAN_VALUE) && span_may_hold(open->capture) &&
        end_with_value(call, regs, lane, open, tick))
        return;
    leave_capturing(call, regs, lane, open, tick);
}

void span_leave(struct shim_call *call, const struct shim_regs *regs,
                enum shim_end end, void *exception)
{
    uint64_t tick = machine_ticks();
    struct lane *lane = span_lane;
    struct lane_open *open = (struct lane_open *)call->open;
    const uint64_t plain = SHIM_CALL_ZERO_COPY | SPAN_OUT | SPAN_VALUE;
    if (UNLIKELY(call->lane != (uint64_t)lane || lane == NULL ||
                 (call->flags & ~plain) || end != SHIM_END_RETURN ||
                 *runtime.alive != span_thread.alive ||
                 lane->depth != (uint32_t)call->extra + 1 ||
                 open->span != call->span || open->state != LANE_OPEN_CALL ||
                 !cpu_is_fresh(lane, tick))) {
        if ((call->flags & SPAN_CARRY) == 0 || end != SHIM_END_RETURN ||
            !carry_leave_plain(call, regs, tick))
            span_leave_general(call, regs, end, exception, tick);
        return;
    }
    if (UNLIKELY(call->flags & SPAN_OUT)) {
        leave_with_outputs(call, regs, lane, open, tick);
        return;
    }
    uint64_t at = lane_reserve_line(lane);
    if (UNLIKELY(at == 0)) {
        span_leave_general(call, regs, end, exception, tick);
        return;
    }
    struct lane_record *record =
        (void *)lane_at(&runtime.map, lane, &span_thread.window, at);
    if (UNLIKELY(record == NULL)) {
        span_leave_general(call, regs, end, exception, tick);
        return;
    }
    put_times(record, lane, open, tick);
    record->capture = open->capture;
    *(uint64_t *)(void *)&record->site_status = *site_and_context(open);
    commit(record, at);
    close_open(lane, open, (uint32_t)call->extra);
}

static void leave_any(struct shim_call *call, const struct shim_regs *regs,
                      enum shim_end end, void *exception)
{
    span_leave_general(call, regs, end, exception, 0);
}

void span_set_hooks(void)
{
    lane_assert(runtime.map.session != NULL);
    bool is_ticks = runtime.map.clock == LANE_CLOCK_TSC;
    shim_enter = is_ticks ? span_enter : enter_any;
    shim_leave = is_ticks ? span_leave : leave_any;
    shim_pass = span_pass;
}
