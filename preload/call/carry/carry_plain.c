/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work items on the plain way: keys are what registers hold, the call is on
 * its thread's own stack, its lane is at hand. Each of these does all of an
 * enter or a leave, or nothing: then carry.c does, which says the same in
 * full. So a queue's push and pop cost little more than their spans.
 *
 * Within enter and leave, as carry.c.
 */
#include "preload/call/capture/capture_write.h"
#include "preload/call/carry/carry.h"
#include "preload/call/record/cpu.h"
#include "preload/call/carry/span_open.h"
#include "lane/format/assert.h"

static inline uint64_t key_of(const struct carry_value *value,
                              const uint64_t *words)
{
    return carry_key(carry_word(value, words[value->source]));
}

/* ---- enter: spans ------------------------------------------------------- */

/* The mark of a pop that a call at `sp` stands under, as far as is known. */
static inline struct lane_open *find_mark(struct lane *lane, uint64_t depth,
                                          uint64_t sp)
{
    if (depth == 0 || depth >= LANE_OPEN_MAX)
        return NULL;
    struct lane_open *top = &lane->open[depth - 1];
    if (top->state != LANE_OPEN_CONTEXT || !span_on_own_stack(top->sp) ||
        !span_context_holds(top, sp) || !span_context_is_sure(top, sp))
        return NULL;
    return top;
}

/* What is known of a span when it is opened. */
struct opening {
    struct span_place place;
    struct lane_open *mark;    /* it stands under, or NULL */
    uint64_t carried, adopted; /* ticks; 0: not for this span */
    enum carry_found missed;
    bool is_orphan;
};

static inline bool find_opening(struct lane *lane, uint64_t depth, uint64_t sp,
                                struct opening *o)
{
    o->mark = NULL;
    o->carried = o->adopted = 0;
    o->missed = CARRY_FOUND;
    o->is_orphan = false;
    if (find_plain_place(lane, depth, sp, &o->place))
        return true;
    o->mark = find_mark(lane, depth, sp);
    if (o->mark == NULL || span_context_orphan(o->mark) != 0)
        return false;
    o->place =
        (struct span_place){o->mark->span, o->mark->context_depth & 0xffffff};
    o->carried = o->mark->t0_ticks;
    o->adopted = o->mark->parent;
    return true;
}

static inline void adopt(const struct shim_call *call,
                         const struct carry_step *step, uint64_t now,
                         bool is_outermost, struct opening *o)
{
    lane_assert(step->role == CARRY_ADOPT);
    struct carry_item item;
    uint64_t key = key_of(&step->key, &call->args.rdi);
    if (key == 0)
        return;
    o->missed = carry_table_take(key, now, &item);
    if (LIKELY(o->missed == CARRY_FOUND)) {
        o->place = (struct span_place){item.parent, item.context};
        o->carried = item.ticks;
        o->adopted = now;
        o->mark = NULL;
    } else if (is_outermost) {
        o->is_orphan = true;
        o->place = (struct span_place){span_process.ref, span_process.context};
    }
}

/* The process's, and it says why. */
static void __attribute__((noinline))
open_orphan(struct lane *lane, struct lane_open *open, uint32_t site,
            enum carry_found missed)
{
    struct span_origin origin = carry_orphan(missed);
    carry_tell_origin(lane, open, site, &origin);
}

/* With captured input it takes a frame. */
static void __attribute__((noinline))
tell_queue(struct lane *lane, struct lane_open *open, uint32_t site,
           const struct opening *o)
{
    struct span_origin origin = {.carried_ticks = o->carried,
                                 .adopted_ticks = o->adopted};
    carry_tell_origin(lane, open, site, &origin);
}

static inline void hand_over(const struct shim_call *call,
                             const struct carry_step *step, uint64_t now,
                             const struct span_place *place)
{
    lane_assert(step->role == CARRY_HAND);
    uint64_t key = key_of(&step->key, &call->args.rdi);
    struct carry_item item = {place->parent, now, 0, place->context,
                              step->is_many};
    if (key != 0)
        carry_table_put(key, &item);
}

/* One reading of the clock is when it began, adopted and carried. */
static inline __attribute__((always_inline)) bool
enter_span(struct shim_call *call, const struct site *site,
           const struct carry_plan *plan, struct lane *lane)
{
    lane_assert(span_is_own(lane) && span_busy == 0);
    struct opening o;
    uint64_t depth = span_depth_seen(lane);
    if (!find_opening(lane, depth, call->sp, &o))
        return false;
    uint64_t tick = machine_ticks();
    if (plan && plan->adopt)
        adopt(call, plan->adopt, tick, depth == 0, &o);
    struct lane_open *open = take_open(lane, depth, call, &o.place);
    if (site->flags & SITE_CAPTURES)
        span_enter_captures(call, site, lane, open);
    if (o.mark || o.carried)
        *site_and_context(open) |= SPAN_KIND(LANE_STATUS_APART);
    if (o.mark) /* the first span of an item waited for it, not each */
        o.mark->t0_ticks = 0;
    if (o.carried && UNLIKELY(!carry_note_wait(open, o.carried, o.adopted)))
        tell_queue(lane, open, (uint32_t)call->site, &o);
    if (UNLIKELY(o.is_orphan))
        open_orphan(lane, open, (uint32_t)call->site, o.missed);
    if (plan && plan->hand) {
        struct span_place own = {open->span, o.place.context};
        hand_over(call, plan->hand, tick, &own);
    }
    uint64_t base = lane->cpu_base_ns;
    if (UNLIKELY(!cpu_is_fresh(lane, tick))) {
        cpu_resync(lane);
        tick = machine_ticks();
        base = cpu_base(lane, tick);
    }
    start_open(open, tick, base, LANE_OPEN_CALL);
    return true;
}

bool carry_enter_popped(struct shim_call *call, const struct site *site)
{
    return enter_span(call, site, NULL, span_lane);
}

/* ---- enter: functions that are no spans --------------------------------- */

bool carry_find_place(struct lane *lane, uint64_t sp, struct span_place *place)
{
    uint64_t depth = span_depth_seen(lane);
    if (!span_on_own_stack(sp))
        return false;
    if (find_plain_place(lane, depth, sp, place))
        return true;
    const struct lane_open *mark = find_mark(lane, depth, sp);
    if (mark)
        *place =
            (struct span_place){mark->span, mark->context_depth & 0xffffff};
    return mark != NULL;
}

/* As span_drop_contexts(), which has nothing to do below a call of this stack.
 */
static inline void drop_contexts(struct lane *lane, uint64_t sp)
{
    uint64_t depth = span_depth_seen(lane);
    if (depth == 0)
        return;
    if (LIKELY(depth <= LANE_OPEN_MAX)) {
        const struct lane_open *top = &lane->open[depth - 1];
        if (top->state - 1 <= LANE_OPEN_TAIL - 1 && span_on_own_stack(top->sp))
            return;
    }
    span_drop_contexts(lane, sp);
}

static bool __attribute__((noinline))
enter_carrying(struct shim_call *call, const struct site *site,
               struct lane *lane)
{
    return enter_span(call, site, site->carry, lane);
}

static bool __attribute__((noinline))
enter_bare(struct shim_call *call, const struct carry_plan *plan,
           struct lane *lane)
{
    lane_assert(plan->is_plain || plan->is_pop);
    struct span_place place;
    if (plan->is_pop) { /* what was popped before is done */
        drop_contexts(lane, call->sp);
        call->flags |= SPAN_CARRY;
        return true;
    }
    if (!carry_find_place(lane, call->sp, &place))
        return false;
    hand_over(call, plan->hand, machine_ticks(), &place);
    call->flags |= SHIM_CALL_TAIL; /* no leave: a jump is enough */
    return true;
}

bool carry_enter_plain(struct shim_call *call, const struct site *site,
                       struct lane *lane, uint32_t flags)
{
    const struct carry_plan *plan = site->carry;
    if (UNLIKELY(!span_on_own_stack(call->sp)))
        return false;
    if (flags == SITE_CARRY)
        return plan->is_plain && enter_carrying(call, site, lane);
    return flags == (SITE_CARRY | SITE_NO_SPAN) &&
           (plan->is_plain || plan->is_pop) && enter_bare(call, plan, lane);
}

/* ---- leave -------------------------------------------------------------- */

bool carry_leave_plain(const struct shim_call *call,
                       const struct shim_regs *regs, uint64_t tick)
{
    const struct carry_plan *plan = runtime.sites[call->site].carry;
    struct lane *lane = span_lane;
    struct carry_item item;
    if ((call->flags & ~(uint64_t)SHIM_CALL_ZERO_COPY) != SPAN_CARRY ||
        call->lane != 0 || !plan->is_pop || lane == NULL || span_busy != 0 ||
        *runtime.alive != span_thread.alive || !span_on_own_stack(call->sp))
        return false;
    const struct carry_value *value = &plan->leave[0].key;
    uint64_t key = carry_key(carry_word(value, regs->rax));
    drop_contexts(lane, call->sp);
    if (key == 0)
        return true; /* nothing was popped */
    enum carry_found found = carry_table_take(key, tick, &item);
    struct span_origin origin =
        found == CARRY_FOUND ? carry_origin(&item, tick) : carry_orphan(found);
    carry_push(call, lane, &origin);
    return true;
}
