/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events, and spans that begin in one function and end in another.
 *
 * An event is a record whose end is its beginning. A begun span waits in a
 * table of this process, found by name and key: sets of WINDOW entries, each
 * claimed by a compare and exchange of its state, so that a thread, a signal
 * handler and the other one of a pair may come at any moment. Only the
 * process that began a span ends it: what a forked child finds is its
 * parent's. What finds no partner or no room is counted at its site.
 */
#include "preload/call/flow.h"
#include <errno.h>
#include <sys/mman.h>
#include "preload/call/capture/capture.h"
#include "preload/call/capture/capture_plan.h"
#include "preload/call/capture/capture_write.h"
#include "preload/call/error/error.h"
#include "preload/call/record/span_internal.h"
#include "lane/format/assert.h"

enum {
    BEGUN_MAX = 8192, /* power of two */
    WINDOW = 32,
};
enum begun_state {
    BEGUN_FREE,
    BEGUN_BUSY, /* somebody writes it, or takes it out */
    BEGUN_OPEN,
};
struct begun {
    uint64_t state;
    uint64_t key, name; /* name: its hash */
    uint64_t span, parent, t0_ticks;
    uint32_t context_depth, site, process;
    uint32_t lost; /* LANE_STATUS_CAPTURE_LOST: of what its begin captured */
};
_Static_assert(sizeof(struct begun) == 64, "one cache line");

static struct begun *begun;
static uint16_t named_site[SHIM_SITE_MAX];
void (*flow_callback)(struct flow_pointer *pointer);

int flow_reserve(void)
{
    if (begun)
        return 0;
    void *at = mmap(NULL, BEGUN_MAX * sizeof(*begun), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return -ENOMEM;
    begun = at;
    return 0;
}

void flow_name_begin(uint32_t index, uint32_t named)
{
    named_site[index] = (uint16_t)named;
}

static void count_unmatched(const struct site *site)
{
    __atomic_fetch_add(&runtime.map.counters[site->index].unmatched, 1,
                       __ATOMIC_RELAXED);
}

static uint64_t hash_name(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    return hash;
}

/* ---- the table of begun spans ------------------------------------------ */

static struct begun *entry_of(uint64_t name, uint64_t key, uint32_t i)
{
    return &begun[(lane_mix64(name ^ lane_mix64(key)) + i) & (BEGUN_MAX - 1)];
}

static bool claim(struct begun *entry, uint64_t from)
{
    lane_assert(entry != NULL);
    /* acquire; pairs with the release of put_begun() */
    return __atomic_compare_exchange_n(&entry->state, &from,
                                       (uint64_t)BEGUN_BUSY, false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void release(struct begun *entry, enum begun_state state)
{
    __atomic_store_n(&entry->state, (uint64_t)state, __ATOMIC_RELEASE);
}

static bool is_same(const struct begun *entry, uint64_t name, uint64_t key)
{
    return entry->key == key && entry->name == name &&
           entry->process == runtime.process;
}

/* Out of the table, into `out`. */
static bool take_begun(uint64_t name, uint64_t key, struct begun *out)
{
    lane_assert(out != NULL);
    for (uint32_t i = 0; begun && i < WINDOW; i++) {
        struct begun *entry = entry_of(name, key, i);
        /* acquire; pairs with release() */
        if (__atomic_load_n(&entry->state, __ATOMIC_ACQUIRE) != BEGUN_OPEN ||
            !is_same(entry, name, key) || !claim(entry, BEGUN_OPEN))
            continue;
        bool found = is_same(entry, name, key); /* it may be another by now */
        *out = *entry;
        release(entry, found ? BEGUN_FREE : BEGUN_OPEN);
        if (found)
            return true;
    }
    return false;
}

static bool put_begun(const struct begun *new)
{
    for (uint32_t i = 0; begun && i < WINDOW; i++) {
        struct begun *entry = entry_of(new->name, new->key, i);
        uint64_t state = __atomic_load_n(&entry->state, __ATOMIC_RELAXED);
        /* a forked child has no use for what its parent began */
        bool is_old = state == BEGUN_OPEN && entry->process != new->process;
        if ((state != BEGUN_FREE && !is_old) || !claim(entry, state))
            continue;
        *entry = *new; /* its state is BEGUN_BUSY, too */
        release(entry, BEGUN_OPEN);
        return true;
    }
    return false;
}

/* ---- records ------------------------------------------------------------ */

static uint64_t take_reference(struct lane *lane)
{
    lane_assert(span_is_own(lane));
    return span_thread.ref_base + lane_xadd_own(&lane->counter, 1) + 1;
}

static uint32_t context_and_depth(const struct lane *lane, uint32_t context)
{
    uint64_t depth = span_depth(lane) < 255 ? span_depth(lane) : 255;
    return context | (uint32_t)depth << 24;
}

static void put_inputs(const struct site *site, struct lane *lane,
                       uint64_t span, const struct shim_call *call,
                       struct lane_record *record)
{
    if (!(site->flags & SITE_CAPTURE_IN))
        return;
    uint64_t at = capture_enter(site, lane, span, call);
    if (at != UINT64_MAX) {
        record->capture = at;
        return;
    }
    record->site_status |= SPAN_KIND(LANE_STATUS_CAPTURE_LOST);
    __atomic_fetch_add(&runtime.map.counters[site->index].lost_captures, 1,
                       __ATOMIC_RELAXED);
}

static void put_event(const struct site *site, struct lane *lane,
                      const struct shim_call *call)
{
    lane_assert(span_is_own(lane));
    if (lane == NULL) {
        span_count_passed(site->index);
        return;
    }
    struct span_place place = span_find_place(lane, call->sp);
    uint64_t now = span_now();
    struct lane_record record = {
        .t0_ticks = now,
        .t1_ticks = now,
        .span = take_reference(lane),
        .parent = place.parent,
        .site_status = site->index | SPAN_KIND(LANE_END_EVENT),
        .context_depth = context_and_depth(lane, place.context),
    };
    put_inputs(site, lane, record.span, call, &record);
    span_write(lane, &record);
    error_note_event(lane, site, call);
}

static bool put_begin_frame(struct lane *lane, const struct begun *entry)
{
    struct capture_frame frame;
    struct lane_frame_begin begin = {
        .t0_ticks = entry->t0_ticks,
        .parent = entry->parent,
        .context = entry->context_depth & 0xffffff,
        .process = entry->process,
    };
    if (!capture_frame_open(lane, sizeof(begin), &frame))
        return false;
    __builtin_memcpy(frame.payload, &begin, sizeof(begin));
    capture_frame_commit(&frame, sizeof(begin), LANE_FRAME_BEGIN, 0,
                         entry->span, entry->site);
    return true;
}

static void begin_span(const struct site *site, struct lane *lane,
                       const struct shim_call *call, const char *name,
                       uint64_t key)
{
    lane_assert(span_is_own(lane) && name != NULL);
    struct begun old;
    uint64_t hash = hash_name(name);
    if (lane == NULL) {
        count_unmatched(site);
        return;
    }
    if (take_begun(hash, key, &old))
        count_unmatched(site); /* begun anew: that one has no end */
    struct span_place place = span_find_place(lane, call->sp);
    struct begun new = {
        .state = BEGUN_BUSY,
        .key = key,
        .name = hash,
        .span = take_reference(lane),
        .parent = place.parent,
        .t0_ticks = span_now(),
        .context_depth = context_and_depth(lane, place.context),
        .site = named_site[site->index],
        .process = runtime.process,
    };
    struct lane_record inputs = {0};
    put_inputs(site, lane, new.span, call, &inputs);
    new.lost = inputs.site_status >> 24;
    if (!put_begin_frame(lane, &new) || !put_begun(&new))
        count_unmatched(site);
}

static void end_span(const struct site *site, struct lane *lane,
                     const struct shim_call *call, const struct shim_regs *regs,
                     bool has_returned, const struct begun *entry)
{
    lane_assert(span_is_own(lane));
    uint32_t end = has_returned ? LANE_END_RETURN : LANE_END_EXCEPTION;
    struct lane_record record = {
        .t0_ticks = entry->t0_ticks,
        .t1_ticks = span_now(),
        .span = entry->span,
        .parent = entry->parent,
        .cpu_ns = LANE_CPU_UNKNOWN,
        .site_status =
            entry->site | SPAN_KIND(end | entry->lost | LANE_STATUS_APART),
        .context_depth = entry->context_depth,
    };
    if (!has_returned)
        record.site_status |= SPAN_KIND(LANE_STATUS_ERROR);
    if (lane == NULL) {
        span_count(entry->site, record.t1_ticks - record.t0_ticks,
                   !has_returned);
        return;
    }
    if (site->capture && has_returned) {
        struct capture_verdict verdict =
            capture_end(site, lane, entry->span, call, regs,
                        span_thread.error ? *span_thread.error : 0);
        if (verdict.is_error)
            record.site_status |= SPAN_KIND(LANE_STATUS_ERROR);
        if (verdict.is_lost)
            record.site_status |= SPAN_KIND(LANE_STATUS_CAPTURE_LOST);
    }
    span_write(lane, &record);
}

/* ---- one call ----------------------------------------------------------- */

/* Is it done when the function returns? An end also if its rules or outputs
 * speak of the result. */
static bool is_late(const struct site *site, const struct manifest_flow *flow)
{
    return manifest_expr_needs_return(flow->key) || flow->is_out ||
           (flow->role == MANIFEST_END && (site->flags & SITE_FLOW_LEAVE));
}

/* A pointer in memory may be one that the call fills in: it is looked at before
 * and after it. */
static bool is_read_again(const struct manifest_flow *flow)
{
    return flow->role == MANIFEST_CALLBACK && !flow->is_out &&
           manifest_expr_needs_memory(flow->key);
}

/* What a call that failed left behind is no pointer to a function. */
static bool has_failed(const struct manifest_decl *decl, struct lane *lane,
                       const struct shim_call *call,
                       const struct shim_regs *regs)
{
    struct capture_call c;
    bool failed = false;
    capture_call_start(&c, lane, call, regs);
    c.env.stack_args = call->sp + 8;
    for (uint32_t i = 0; i < decl->fails_count && !failed; i++)
        failed = manifest_eval_condition(decl->fails[i].condition, &c.env);
    return failed;
}

static bool read_key(const struct manifest_flow *flow, struct lane *lane,
                     const struct shim_call *call, const struct shim_regs *regs,
                     uint64_t *key)
{
    struct capture_call c;
    struct manifest_value value;
    capture_call_start(&c, lane, call, regs);
    c.env.stack_args = call->sp + 8; /* a key is no value: as good as it is */
    if (manifest_eval(flow->key, &c.env, &value) != 0 || value.is_unreadable)
        return false;
    *key = value.bits;
    return true;
}

static void follow(const struct site *site, const struct manifest_flow *flow,
                   struct lane *lane, struct shim_call *call,
                   const struct shim_regs *regs, bool has_returned)
{
    struct begun entry;
    uint64_t key;
    if (!has_returned && flow->role != MANIFEST_END)
        return;
    if (!read_key(flow, lane, call, regs, &key)) {
        if (flow->role != MANIFEST_CALLBACK)
            count_unmatched(site);
        return;
    }
    if (flow->role == MANIFEST_CALLBACK) {
        if (regs && has_failed(site->decl, lane, call, regs))
            return;
        struct flow_pointer pointer = {site, flow, call, key};
        if (flow_callback && key != 0)
            flow_callback(&pointer);
    } else if (flow->role == MANIFEST_BEGIN) {
        begin_span(site, lane, call, flow->name, key);
    } else if (take_begun(hash_name(flow->name), key, &entry)) {
        end_span(site, lane, call, regs, has_returned, &entry);
    } else {
        count_unmatched(site);
    }
}

static bool is_wanted(const struct manifest_flow *flow, bool recording)
{
    if (flow->role == MANIFEST_CALLBACK)
        return true; /* also while spans are off: it is registered once */
    return recording && (flow->role & (MANIFEST_BEGIN | MANIFEST_END));
}

/* It stands in the trace that this call begins. */
static bool is_of_root(const struct site *site,
                       const struct manifest_flow *flow)
{
    return (site->flags & SITE_ROOT) && flow->role == MANIFEST_BEGIN;
}

void flow_enter(struct shim_call *call, const struct site *site, bool recording)
{
    lane_assert((site->flags & SITE_FLOW) != 0);
    const struct manifest_decl *decl = site->decl;
    struct lane *lane = span_get_lane();
    bool is_tail = (call->flags & SHIM_CALL_TAIL) != 0;
    if (lane != NULL)
        span_settle(lane, call->sp, is_tail);
    for (uint32_t i = 0; i < decl->flow_count; i++) {
        const struct manifest_flow *flow = &decl->flows[i];
        if (!is_wanted(flow, recording))
            continue;
        bool late = is_late(site, flow);
        if (late || is_read_again(flow)) {
            call->flags &= ~(uint64_t)SHIM_CALL_TAIL;
            call->flags |= SPAN_FLOW;
        }
        if (!late && !is_of_root(site, flow))
            follow(site, flow, lane, call, NULL, true);
    }
    if (recording && (decl->roles & MANIFEST_EVENT) &&
        !(site->flags & SITE_ROOT))
        put_event(site, lane, call);
}

void flow_opened(struct shim_call *call, const struct site *site)
{
    lane_assert((site->flags & SITE_FLOW) != 0);
    const struct manifest_decl *decl = site->decl;
    struct lane *lane = span_get_lane();
    for (uint32_t i = 0; i < decl->flow_count; i++)
        if (is_of_root(site, &decl->flows[i]) &&
            !is_late(site, &decl->flows[i]))
            follow(site, &decl->flows[i], lane, call, NULL, true);
    if ((decl->roles & MANIFEST_EVENT) && (site->flags & SITE_ROOT))
        put_event(site, lane, call);
}

void flow_leave(struct shim_call *call, const struct shim_regs *regs,
                bool has_returned, bool recording)
{
    const struct site *site = &runtime.sites[call->site];
    const struct manifest_decl *decl = site->decl;
    struct lane *lane = span_get_lane();
    for (uint32_t i = 0; i < decl->flow_count; i++) {
        const struct manifest_flow *flow = &decl->flows[i];
        if (is_wanted(flow, recording) &&
            (is_late(site, flow) || is_read_again(flow)))
            follow(site, flow, lane, call, regs, has_returned);
    }
}
