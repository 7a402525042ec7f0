/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work items on the plain way: keys are what registers hold, the call is on
 * its thread's own stack, its lane is at hand. Each of these does all of an
 * enter or a leave, or nothing: then carry.c does, which says the same in
 * full. So a queue's push and pop cost little more than their spans.
 *
 * Within enter and leave, as carry.c.
 */
#include "preload/capture_write.h"
#include "preload/carry.h"
#include "preload/cpu.h"
#include "preload/span_open.h"

static inline uint64_t key_of(const struct carry_value *value,
                              const uint64_t *words)
{
    return carry_key(capture_extend(words[value->source], value->size_bytes,
                                    value->is_signed));
}

static inline bool is_ready(const struct lane *lane,
                            const struct shim_call *call)
{
    return lane != NULL && span_busy == 0 &&
           *runtime.alive == span_thread.alive &&
           span_on_own_stack(lane, call->sp);
}

/* ---- enter: spans ------------------------------------------------------- */

/* When the item that it is the work of was carried, 0: there is none. `missed`:
 * the worse of how those were not found that were looked for. */
static inline uint64_t adopt(const struct shim_call *call,
                             const struct carry_plan *plan, uint64_t now,
                             struct span_place *place, enum carry_found *missed)
{
    struct carry_item item;
    for (uint32_t i = 0; i < plan->enter_count; i++) {
        if (plan->enter[i].role != CARRY_ADOPT)
            continue;
        uint64_t key = key_of(&plan->enter[i].key, &call->args.rdi);
        if (key == 0)
            continue;
        enum carry_found found = carry_table_take(key, now, &item);
        if (LIKELY(found == CARRY_FOUND)) {
            *place = (struct span_place){item.parent, item.context};
            return item.ticks;
        }
        if (*missed != CARRY_EXPIRED)
            *missed = found;
    }
    return 0;
}

/* The process's, and it says why. */
static void __attribute__((noinline))
open_orphan(struct lane *lane, struct lane_open *open, uint32_t site,
            enum carry_found missed)
{
    struct span_origin origin = carry_orphan(missed);
    carry_tell_origin(lane, open, site, &origin);
}

static void __attribute__((noinline))
tell_queue_slowly(struct lane *lane, struct lane_open *open, uint32_t site,
                  uint64_t carried, uint64_t adopted)
{
    struct span_origin origin = {.carried_ticks = carried,
                                 .adopted_ticks = adopted};
    carry_tell_origin(lane, open, site, &origin);
}

static inline void tell_queue(struct lane *lane, struct lane_open *open,
                              uint32_t site, uint64_t carried, uint64_t adopted)
{
    open->site_kind |= SPAN_KIND(LANE_STATUS_APART);
    uint64_t at = lane_reserve_line(lane);
    if (UNLIKELY(at == 0)) {
        tell_queue_slowly(lane, open, site, carried, adopted);
        return;
    }
    struct lane_frame *line = (void *)lane_at(&runtime.map, lane, at);
    struct lane_frame_queue *queue = (void *)line->inline_bytes;
    _Static_assert(sizeof(*queue) == 16 && sizeof(line->inline_bytes) == 32,
                   "half of it");
    line->payload_bytes = sizeof(*queue);
    line->kind = LANE_FRAME_QUEUE;
    line->flags = 0;
    line->count = 1;
    line->span = open->span;
    line->site = site;
    line->pad0 = 0;
    *queue = (struct lane_frame_queue){carried, adopted};
    ((uint64_t *)(void *)line->inline_bytes)[2] = 0;
    ((uint64_t *)(void *)line->inline_bytes)[3] = 0;
    lane_commit(lane, (uint8_t *)line, at, LANE_ITEM_FRAME);
}

static inline void hand_over(const struct shim_call *call,
                             const struct carry_plan *plan, uint64_t now,
                             const struct span_place *place)
{
    for (uint32_t i = 0; i < plan->enter_count; i++) {
        if (plan->enter[i].role != CARRY_HAND)
            continue;
        uint64_t key = key_of(&plan->enter[i].key, &call->args.rdi);
        struct carry_item item = {place->parent, now, 0, place->context,
                                  plan->enter[i].is_many};
        if (key != 0)
            carry_table_put(key, &item);
    }
}

/* One reading of the clock is when it began, adopted and carried. */
static bool enter_span(struct shim_call *call, const struct site *site,
                       const struct carry_plan *plan, struct lane *lane)
{
    struct span_place place;
    enum carry_found missed = CARRY_FOUND;
    uint64_t carried = 0, depth = lane->depth;
    if (!find_plain_place(lane, depth, call->sp, &place))
        return false;
    uint64_t tick = machine_ticks();
    if (plan->adopts)
        carried = adopt(call, plan, tick, &place, &missed);
    bool is_orphan = !carried && missed != CARRY_FOUND && depth == 0;
    if (UNLIKELY(is_orphan))
        place = (struct span_place){span_process.ref, span_process.context};
    struct lane_open *open = take_open(lane, depth, call, &place);
    if (site->flags & SITE_CAPTURES)
        span_enter_captures(call, site, lane, open);
    if (carried)
        tell_queue(lane, open, (uint32_t)call->site, carried, tick);
    else if (UNLIKELY(is_orphan))
        open_orphan(lane, open, (uint32_t)call->site, missed);
    struct span_place own = {open->span, place.context};
    hand_over(call, plan, tick, &own);
    if (UNLIKELY(!cpu_is_marked())) {
        cpu_resync(lane);
        tick = machine_ticks();
    }
    start_open(open, tick, cpu_base(lane), LANE_OPEN_CALL);
    return true;
}

/* ---- enter: functions that are no spans --------------------------------- */

bool carry_find_place(const struct lane *lane, uint64_t sp,
                      struct span_place *place)
{
    uint64_t depth = lane->depth;
    if (!span_on_own_stack(lane, sp))
        return false;
    if (find_plain_place(lane, depth, sp, place))
        return true;
    const struct lane_open *top = &lane->open[depth - 1];
    if (depth >= LANE_OPEN_MAX || top->state != LANE_OPEN_CONTEXT ||
        !span_on_own_stack(lane, top->sp) || !span_context_holds(top, sp) ||
        !span_context_is_sure(top, sp))
        return false;
    *place = (struct span_place){top->span, top->context_depth & 0xffffff};
    return true;
}

/* As span_drop_contexts(), which has nothing to do below a call of this stack.
 */
static inline void drop_contexts(struct lane *lane, uint64_t sp)
{
    uint64_t depth = lane->depth;
    if (depth == 0)
        return;
    if (LIKELY(depth <= LANE_OPEN_MAX)) {
        const struct lane_open *top = &lane->open[depth - 1];
        if (top->state - 1 <= LANE_OPEN_TAIL - 1 &&
            span_on_own_stack(lane, top->sp))
            return;
    }
    span_drop_contexts(lane, sp);
}

static bool enter_bare(struct shim_call *call, const struct carry_plan *plan,
                       struct lane *lane)
{
    struct span_place place;
    if (plan->is_pop) { /* what was popped before is done */
        drop_contexts(lane, call->sp);
        call->flags |= SPAN_CARRY;
        return true;
    }
    if (!carry_find_place(lane, call->sp, &place))
        return false;
    hand_over(call, plan, machine_ticks(), &place);
    call->flags |= SHIM_CALL_TAIL; /* no leave: a jump is enough */
    return true;
}

bool carry_enter_plain(struct shim_call *call, const struct site *site,
                       uint32_t flags)
{
    const struct carry_plan *plan = site->carry;
    struct lane *lane = span_lane;
    bool is_span = flags == SITE_CARRY;
    if ((!is_span && flags != (SITE_CARRY | SITE_NO_SPAN)) ||
        !(plan->is_plain || (plan->is_pop && !is_span)) ||
        call->flags > SHIM_CALL_ZERO_COPY || !is_ready(lane, call) ||
        runtime.map.session->gate != LANE_GATE_OPEN)
        return false;
    return is_span ? enter_span(call, site, plan, lane)
                   : enter_bare(call, plan, lane);
}

/* ---- leave -------------------------------------------------------------- */

bool carry_leave_plain(const struct shim_call *call,
                       const struct shim_regs *regs, uint64_t tick)
{
    const struct carry_plan *plan = runtime.sites[call->site].carry;
    struct lane *lane = span_lane;
    struct carry_item item;
    if ((call->flags & ~(uint64_t)SHIM_CALL_ZERO_COPY) != SPAN_CARRY ||
        call->lane != 0 || !plan->is_pop || !is_ready(lane, call))
        return false;
    const struct carry_value *value = &plan->leave[0].key;
    uint64_t key = carry_key(
        capture_extend(regs->rax, value->size_bytes, value->is_signed));
    drop_contexts(lane, call->sp);
    if (key == 0)
        return true; /* nothing was popped */
    enum carry_found found = carry_table_take(key, tick, &item);
    struct span_origin origin =
        found == CARRY_FOUND ? carry_origin(&item, tick) : carry_orphan(found);
    carry_push(call, lane, &origin);
    return true;
}
