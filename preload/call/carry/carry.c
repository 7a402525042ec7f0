/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work items at a call: see carry.h and docs/context.md.
 *
 * A pop leaves a mark on the lane's stack of open spans, an entry of state
 * CONTEXT: the spans that open above it belong to the item. So the plain way
 * of a call finds no span below itself and comes here, and programs without
 * carriers execute nothing of this.
 */
#include "preload/call/carry/carry.h"

#include "preload/call/capture/capture_write.h"
#include "preload/call/record/cpu.h"
#include "preload/call/carry/span_open.h"
#include "lane/format/assert.h"

enum {
    FUNCTIONS = 4096,
    FUNCTION_PROBES = 16,
};

uint64_t (*carry_find_frame)(uint64_t sp);

/* Functions that a carry(fn, data) ever named; a place is never changed. */
static uint64_t functions[FUNCTIONS];
static bool has_too_many;

static uint64_t *function_at(uint64_t function, uint32_t probe)
{
    lane_assert(probe < FUNCTION_PROBES);
    return &functions[(lane_mix64(function) + probe) % FUNCTIONS];
}

static void note_function(uint64_t function)
{
    lane_assert(function != 0);
    for (uint32_t i = 0; i < FUNCTION_PROBES; i++) {
        uint64_t *at = function_at(function, i);
        uint64_t stands = __atomic_load_n(at, __ATOMIC_RELAXED);
        if (stands == function ||
            (stands == 0 &&
             __atomic_compare_exchange_n(at, &stands, function, false,
                                         __ATOMIC_RELAXED, __ATOMIC_RELAXED)) ||
            stands == function)
            return;
    }
    __atomic_store_n(&has_too_many, true, __ATOMIC_RELAXED);
}

/* Then all are looked up. */
static bool is_noted(uint64_t function)
{
    for (uint32_t i = 0; i < FUNCTION_PROBES; i++) {
        uint64_t stands =
            __atomic_load_n(function_at(function, i), __ATOMIC_RELAXED);
        if (stands == function)
            return true;
        if (stands == 0)
            return false;
    }
    return __atomic_load_n(&has_too_many, __ATOMIC_RELAXED);
}

static void count(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static struct lane_carry_counts *losses(void)
{
    return &runtime.map.session->carry;
}

/* ---- keys ------------------------------------------------------------- */

/* A call as its expressions see it; the environment is made on first need. */
struct carry_call {
    const struct shim_call *call;
    const struct shim_regs *regs; /* NULL at enter */
    const struct lane *lane;
    uint64_t began; /* at leave: when the call began; else 0 */
    bool is_ready;
    struct reader reader;
    struct manifest_env env;
};

/* Not cleared as a whole: that costs more than most calls of this file. */
static void start_call(struct carry_call *c, const struct shim_call *call,
                       const struct shim_regs *regs, const struct lane *lane)
{
    c->call = call;
    c->regs = regs;
    c->lane = lane;
    c->began = 0;
    c->is_ready = false;
}

static size_t read_memory(void *context, void *dst, uint64_t addr, size_t n)
{
    const struct carry_call *c = context;
    return read_bytes(&c->reader, dst, addr, n);
}

static void make_ready(struct carry_call *c)
{
    lane_assert(!c->is_ready && c->call != NULL);
    struct manifest_env *env = &c->env;
    reader_start(&c->reader, runtime.pid, span_thread.stack_low,
                 span_thread.stack_high);
    env->context = c;
    env->read = read_memory;
    env->ireg = &c->call->args.rdi;
    env->stack_args = c->call->sp + 8;
    env->freg = env->ret_freg = NULL;
    env->is_leave = c->regs != NULL;
    env->rax = c->regs ? c->regs->rax : 0;
    env->rdx = c->regs ? c->regs->rdx : 0;
    env->saved_errno = span_thread.error ? *span_thread.error : 0;
    env->exit_status = 0;
    c->is_ready = true;
}

/* False: it cannot be read. A key of 0 is none. */
static bool evaluate(struct carry_call *c, const struct carry_value *value,
                     struct manifest_value *out)
{
    lane_assert(value->expr != NULL);
    if (!c->is_ready)
        make_ready(c);
    return manifest_eval(value->expr, &c->env, out) == 0 && !out->is_unreadable;
}

static uint64_t word_of(struct carry_call *c, const struct carry_value *value)
{
    lane_assert(value->source == CARRY_EVALUATE || value->source <= CARRY_RAX);
    lane_assert(value->source != CARRY_RAX || c->regs != NULL);
    struct manifest_value result;
    uint64_t word;
    if (value->source == CARRY_EVALUATE)
        return evaluate(c, value, &result) ? result.bits : 0;
    word = value->source == CARRY_RAX ? c->regs->rax
                                      : (&c->call->args.rdi)[value->source];
    return carry_word(value, word);
}

/* What the program was handed instead of a pointer: see callback.c. */
static uint64_t function_of(uint64_t word)
{
    uint32_t site = shim_stub_site(word);
    const struct carry_plan *plan = site ? runtime.sites[site].carry : NULL;
    return plan ? plan->function : word;
}

static uint64_t key_of(struct carry_call *c, const struct carry_step *step)
{
    uint64_t word = word_of(c, &step->key);
    if (word == 0 || !step->data.expr)
        return carry_key(word);
    word = function_of(word);
    if (step->role == CARRY_HAND)
        note_function(word);
    return carry_key_pair(word, word_of(c, &step->data));
}

/* ---- links ------------------------------------------------------------ */

/* The keys of one step, links found for them into `links`. */
struct batch {
    uint64_t at, count; /* elements in memory */
    uint32_t element_bytes;
};

static bool batch_of(struct carry_call *c, const struct carry_step *step,
                     struct batch *out)
{
    lane_assert(step->element_bytes != 0);
    struct manifest_value value;
    if (!evaluate(c, &step->key, &value) || value.is_null)
        return false;
    out->at = value.bits;
    out->element_bytes = step->element_bytes;
    out->count = value.len_bytes / step->element_bytes;
    return true;
}

/* A small element is the key itself, of a larger one its address. */
static uint64_t batch_key(const struct carry_call *c, const struct batch *batch,
                          uint64_t i)
{
    lane_assert(i < batch->count && c->is_ready);
    uint64_t at = batch->at + i * batch->element_bytes, word = 0;
    if (batch->element_bytes > 8)
        return carry_key(at);
    if (read_bytes(&c->reader, &word, at, batch->element_bytes) !=
        batch->element_bytes)
        return 0;
    return carry_key(word);
}

static bool take_link(uint64_t key, uint64_t now, struct lane_link *link)
{
    struct carry_item item;
    enum carry_found found =
        key ? carry_table_take(key, now, &item) : CARRY_NONE;
    if (found != CARRY_FOUND) {
        count(found == CARRY_EXPIRED ? &losses()->expired
                                     : &losses()->unmatched);
        return false;
    }
    link->span = item.parent;
    link->context = item.context;
    link->pad0 = 0;
    return true;
}

/* One frame with room for all that may be found; it is committed with what
 * was. */
static void link_batch(struct carry_call *c, const struct carry_step *step,
                       struct lane *lane, uint64_t span)
{
    lane_assert(step->role == CARRY_LINK && span_is_own(lane));
    struct batch batch = {0, 1, 0};
    struct capture_frame frame;
    uint64_t now = span_now(), n = 0, most;
    if (step->element_bytes && !batch_of(c, step, &batch))
        return;
    most = batch.count < LANE_LINK_MAX ? batch.count : LANE_LINK_MAX;
    if (batch.count > most)
        __atomic_fetch_add(&losses()->links, batch.count - most,
                           __ATOMIC_RELAXED);
    if (most == 0)
        return;
    if (!capture_frame_open(lane, (uint32_t)(most * sizeof(struct lane_link)),
                            &frame)) {
        count(&losses()->frames);
        return;
    }
    struct lane_link *links = (struct lane_link *)(void *)frame.payload;
    for (uint64_t i = 0; i < most; i++) {
        uint64_t key =
            step->element_bytes ? batch_key(c, &batch, i) : key_of(c, step);
        n += take_link(key, now, &links[n]);
    }
    lane_assert(n <= most);
    for (uint64_t i = n; i < most; i++)
        links[i] = (struct lane_link){0, 0, 0};
    capture_frame_commit(&frame, (uint32_t)(most * sizeof(struct lane_link)),
                         LANE_FRAME_LINK, (uint32_t)n, span,
                         (uint32_t)c->call->site);
}

/* ---- steps ------------------------------------------------------------ */

static void carry(struct carry_call *c, const struct carry_step *step,
                  const struct span_place *place)
{
    lane_assert(step->role == CARRY_HAND);
    uint64_t key = key_of(c, step);
    if (key == 0)
        return;
    struct carry_item item = {place->parent, span_now(), c->began,
                              place->context, step->is_many};
    carry_table_put(key, &item);
}

static void count_orphan(const struct span_origin *origin)
{
    if (origin->orphan)
        count(origin->orphan == LANE_ORPHAN_EXPIRED ? &losses()->expired
                                                    : &losses()->unmatched);
}

struct span_origin carry_orphan(enum carry_found found)
{
    lane_assert(found != CARRY_FOUND);
    struct span_origin origin = span_orphan(
        found == CARRY_EXPIRED ? LANE_ORPHAN_EXPIRED : LANE_ORPHAN_NO_CARRIER);
    count_orphan(&origin);
    return origin;
}

/* carry, forget and link of a list; `place` is what its items belong to. */
static void take_steps(struct carry_call *c, const struct carry_step *steps,
                       uint32_t steps_count, struct lane *lane,
                       const struct span_place *place)
{
    lane_assert(steps_count == 0 || steps != NULL);
    for (uint32_t i = 0; i < steps_count; i++) {
        if (steps[i].role == CARRY_HAND)
            carry(c, &steps[i], place);
        else if (steps[i].role == CARRY_FORGET)
            carry_table_forget(key_of(c, &steps[i]));
        else if (steps[i].role == CARRY_LINK &&
                 LANE_REF_LANE(place->parent) == span_thread.window.index)
            link_batch(c, &steps[i], lane, place->parent);
    }
}

/* Whose work a call is that is no span. */
static struct span_place place_of(const struct shim_call *call,
                                  struct lane *lane)
{
    struct span_place place;
    if (carry_find_place(lane, call->sp, &place))
        return place;
    span_settle(lane, call->sp, (call->flags & SHIM_CALL_TAIL) != 0);
    return span_find_place(lane, call->sp);
}

void carry_enter(struct shim_call *call, const struct site *site,
                 struct lane *lane)
{
    lane_assert(site->carry != NULL && (site->flags & SITE_CARRY) != 0);
    const struct carry_plan *plan = site->carry;
    if (plan->enter_count != 0 && lane != NULL) {
        struct carry_call c;
        start_call(&c, call, NULL, lane);
        struct span_place place = place_of(call, lane);
        take_steps(&c, plan->enter, plan->enter_count, lane, &place);
    }
    if (plan->leave_count == 0 || lane == NULL) {
        if ((call->flags & SPAN_FLOW) == 0)
            call->flags |= SHIM_CALL_TAIL; /* no leave: a jump is enough */
        return;
    }
    if (plan->has_adopt) /* what was popped before is done */
        span_drop_contexts(lane, call->sp);
    if (carry_table_has_late)
        call->open = span_now(); /* began */
    call->flags &= ~(uint64_t)SHIM_CALL_TAIL;
    call->flags |= SPAN_CARRY;
}

/* ---- whose work a span is ---------------------------------------------- */

static bool is_called_later(const struct carry_plan *plan)
{
    return plan->takes_pairs && is_noted(plan->function);
}

/* False: no such item. `reason` is told why, if it is not told yet. */
static bool take_item(uint64_t key, uint64_t now, struct span_origin *origin,
                      uint8_t *reason)
{
    struct carry_item item;
    enum carry_found found = carry_table_take(key, now, &item);
    if (found == CARRY_FOUND)
        *origin = carry_origin(&item, now);
    else if (found == CARRY_EXPIRED || *reason == 0)
        *reason = found == CARRY_EXPIRED ? LANE_ORPHAN_EXPIRED
                                         : LANE_ORPHAN_NO_CARRIER;
    return found == CARRY_FOUND;
}

/* By what its adopt says: as the data of a carry(fn, data), or alone. */
static bool adopt_named(struct carry_call *c, const struct carry_plan *plan,
                        struct span_origin *origin, uint8_t *reason)
{
    bool is_later = is_called_later(plan);
    for (uint32_t i = 0; i < plan->enter_count; i++) {
        if (plan->enter[i].role != CARRY_ADOPT)
            continue;
        uint64_t word = word_of(c, &plan->enter[i].key);
        if (word == 0)
            continue;
        uint64_t now = span_now();
        if ((is_later && take_item(carry_key_pair(plan->function, word), now,
                                   origin, reason)) ||
            take_item(carry_key(word), now, origin, reason))
            return true;
    }
    return false;
}

/* Without an adopt: by any of its first arguments. */
static bool adopt_pair(const struct shim_call *call,
                       const struct carry_plan *plan,
                       struct span_origin *origin, uint8_t *reason)
{
    lane_assert(plan->pair_args <= 6);
    const uint64_t *args = &call->args.rdi;
    uint64_t now = span_now();
    for (int i = 0; i < plan->pair_args; i++)
        if (take_item(carry_key_pair(plan->function, args[i]), now, origin,
                      reason))
            return true;
    return false;
}

void carry_adopt(const struct shim_call *call, const struct site *site,
                 struct lane *lane, struct span_origin *origin)
{
    lane_assert(site->carry != NULL && span_is_own(lane));
    const struct carry_plan *plan = site->carry;
    struct carry_call c;
    uint8_t reason = 0;
    if (plan->adopts) {
        start_call(&c, call, NULL, lane);
        if (adopt_named(&c, plan, origin, &reason))
            return;
    } else if (is_called_later(plan) &&
               adopt_pair(call, plan, origin, &reason)) {
        return;
    }
    /* not carried, but called by a span: then that is no guess. Nor is it
     * that a function without an adopt is the process's own. */
    if (reason == 0 || !origin->is_outermost ||
        (!plan->adopts && origin->parent == span_process.ref))
        return;
    *origin = span_orphan(reason);
    count_orphan(origin);
}

void carry_opened(struct shim_call *call, const struct site *site,
                  struct lane *lane, struct lane_open *open,
                  const struct span_origin *origin)
{
    lane_assert(span_is_own(lane) && span_has_entry(lane, open));
    if (origin->is_apart)
        carry_tell_origin(lane, open, (uint32_t)call->site, origin);
    if ((site->flags & SITE_CARRY) == 0)
        return;
    const struct carry_plan *plan = site->carry;
    struct carry_call c;
    start_call(&c, call, NULL, lane);
    struct span_place own = {open->span, open->context_depth & 0xffffff};
    take_steps(&c, plan->enter, plan->enter_count, lane, &own);
    if (plan->leave_count)
        call->flags |= SPAN_CARRY;
}

/* ---- leave ------------------------------------------------------------ */

/* The thread may be another one by now, the process a forked child. */
static struct lane *lane_here(void)
{
    if (span_busy != 0 || span_lane == NULL ||
        *runtime.alive != span_thread.alive)
        return NULL;
    return span_lane;
}

void carry_leave(const struct shim_call *call, const struct shim_regs *regs)
{
    lane_assert(runtime.sites[call->site].carry != NULL);
    const struct carry_plan *plan = runtime.sites[call->site].carry;
    const struct lane_open *open = (const struct lane_open *)call->open;
    struct lane *lane = lane_here();
    struct carry_call c;
    struct span_place place;
    if (lane == NULL || (plan->has_adopt && plan->leave_count == 1))
        return;
    start_call(&c, call, regs, lane);
    bool is_span = call->lane != 0;
    c.began =
        is_span && !(call->flags & SPAN_DEEP) ? open->t0_ticks : call->open;
    if (call->lane == (uint64_t)lane && (call->flags & SPAN_DEEP) == 0)
        place = (struct span_place){call->span, open->context_depth & 0xffffff};
    else
        place = span_find_place(lane, call->sp);
    take_steps(&c, plan->leave, plan->leave_count, lane, &place);
}

void carry_push(const struct shim_call *call, struct lane *lane,
                const struct span_origin *origin)
{
    lane_assert(span_is_own(lane));
    uint64_t frame = carry_find_frame ? carry_find_frame(call->sp) : 0;
    if (!span_push_context(lane, call->sp, frame, origin))
        count(&losses()->frames);
}

void carry_left(const struct shim_call *call, const struct shim_regs *regs,
                uint64_t tick)
{
    const struct carry_plan *plan = runtime.sites[call->site].carry;
    struct lane *lane = lane_here();
    struct carry_call c;
    start_call(&c, call, regs, lane);
    for (uint32_t i = 0; lane && plan->has_adopt && i < plan->leave_count;
         i++) {
        if (plan->leave[i].role != CARRY_ADOPT)
            continue;
        uint64_t key = key_of(&c, &plan->leave[i]);
        span_drop_contexts(lane, call->sp);
        if (key == 0)
            continue; /* nothing was popped */
        struct carry_item item;
        enum carry_found found = carry_table_take(key, tick, &item);
        struct span_origin origin = found == CARRY_FOUND
                                        ? carry_origin(&item, tick)
                                        : carry_orphan(found);
        carry_push(call, lane, &origin);
    }
}
