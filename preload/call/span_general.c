/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enter and leave in general: see span_general.h.
 *
 * Within enter and leave, as span.c.
 */
#include "preload/call/span_general.h"

#include "preload/call/capture/capture_keep.h"
#include "preload/call/carry/carry.h"
#include "preload/call/carry/span_open.h"
#include "preload/call/error/error.h"
#include "preload/call/flow.h"
#include "preload/call/memory/read_pages.h"
#include "preload/call/record/cpu.h"
#include "preload/call/stack/fiber.h"
#include "lane/format/assert.h"

enum {
    TAIL_DEPTH_MAX = 128, /* deeper tail calls share one open entry */
    ATTACH_EVERY = 1024,  /* calls of a thread without lane between tries */
};

static __thread uint32_t attach_wait;

/* ---- enter ------------------------------------------------------------ */

static void enter_internal(struct shim_call *call, const struct site *site)
{
    lane_assert((site->flags & SITE_INTERNAL) != 0);
    if (site->hook_leave == NULL) /* a jump: its stack arguments stay */
        call->flags |= SHIM_CALL_TAIL;
    if (span_busy != 0)
        return;
    if (site->hook_leave != NULL) {
        /* also tail-called: it needs a leave of its own */
        call->flags &= ~(uint64_t)SHIM_CALL_TAIL;
        call->flags |= SPAN_HOOK;
    }
    if (site->hook_enter != NULL)
        site->hook_enter(call);
}

static const uint32_t attach_never = UINT32_MAX;

void span_share(void)
{
    attach_wait = attach_never;
    span_thread.alive = *runtime.alive;
    shim_cache_use(UINT32_MAX);
    read_pages_use(UINT32_MAX);
    span_lane = NULL;
}

static long attach(long a, long b)
{
    (void)a;
    (void)b;
    return (long)thread_attach();
}

struct lane *span_get_lane(void)
{
    struct lane *lane = span_lane;
    if (LIKELY(lane != NULL && *runtime.alive == span_thread.alive))
        return lane;
    if (attach_wait != 0 && *runtime.alive == span_thread.alive) {
        attach_wait -= attach_wait != attach_never;
        return NULL;
    }
    lane = (struct lane *)shim_call_slow(attach, 0, 0);
    /* Signals are let in again at its end: where the handler of one forked, the
     * child comes here with its parent's. */
    if (span_is_forked())
        lane = (struct lane *)shim_call_slow(attach, 0, 0);
    attach_wait = lane == NULL ? ATTACH_EVERY : 0;
    return span_is_forked() ? NULL : lane;
}

/* Our own code calling a traced function of libc, or a signal handler that
 * came while it ran: only the latter is a call of the program. */
static void pass_busy(const struct shim_call *call)
{
    uint64_t from = *(const uint64_t *)call->sp;
    if (from < runtime.self_low || from >= runtime.self_high)
        __atomic_fetch_add(&runtime.map.session->lost_calls, 1,
                           __ATOMIC_RELAXED);
}

/* Beyond LANE_OPEN_MAX: no entry, the call keeps its own start. */
static void enter_deep(struct shim_call *call, const struct site *site,
                       struct lane *lane)
{
    lane_assert(span_is_own(lane) && (call->flags & SPAN_DEEP) == 0);
    struct lane_open none;
    if (call->flags & SHIM_CALL_TAIL) {
        span_count_passed(call->site);
        return;
    }
    span_enter_deep(call, lane);
    none.site_kind = 0;
    span_enter_captures(call, site, lane, &none); /* found by its reference */
    call->flags |= none.site_kind ? SPAN_LOST : 0;
    span_start_deep(call, lane);
}

/* A tail call: does it go on as a span that the call below closes? False: it
 * gets a frame or an entry, and a leave, of its own. */
static bool enter_as_tail(struct shim_call *call, const struct site *site,
                          struct lane *lane)
{
    lane_assert((call->flags & SHIM_CALL_TAIL) != 0);
    struct lane_open *base = span_tail_base(lane, call);
    if (base == NULL)
        return false;
    if ((site->flags & SITE_CAPTURE_OUT) && lane->depth < TAIL_DEPTH_MAX)
        return false;
    if ((site->flags & SITE_CARRY) && site->carry->leave_count)
        return false;
    if (lane->depth >= TAIL_DEPTH_MAX && span_state(base) == LANE_OPEN_TAIL) {
        /* two handlers that tail-call each other in a loop: each ends where
         * the next begins, or the stack of open spans would grow */
        span_end_open(lane, base, span_now(), LANE_END_RETURN);
        span_drop(lane, base);
    }
    return true;
}

static void open_general(struct shim_call *call, const struct site *site,
                         struct lane *lane)
{
    lane_assert(span_is_own(lane) && span_busy == 0);
    lane_assert((site->flags & (SITE_INTERNAL | SITE_NO_SPAN)) == 0);
    span_settle(lane, call->sp, (call->flags & SHIM_CALL_TAIL) != 0);
    if ((call->flags & SHIM_CALL_TAIL) && !enter_as_tail(call, site, lane))
        call->flags &= ~(uint64_t)SHIM_CALL_TAIL;
    if (span_is_stack_full(lane, call)) {
        span_count_passed(call->site);
        call->flags |= SHIM_CALL_TAIL; /* its frame goes */
        return;
    }
    uint64_t depth = span_find_entry(lane, call);
    if (depth >= LANE_OPEN_MAX) {
        enter_deep(call, site, lane);
        return;
    }
    struct span_origin origin = span_find_origin(lane, call->sp);
    uint32_t kind = 0;
    if (site->flags & SITE_CARRY)
        carry_adopt(call, site, lane, &origin);
    struct span_place place = {origin.parent, origin.context};
    if ((site->flags & SITE_ROOT) && place.context == span_process.context &&
        span_take_context(&place.context)) {
        place.parent = 0;
        kind = SPAN_KIND(LANE_STATUS_ROOT);
    }
    bool is_tail = (call->flags & SHIM_CALL_TAIL) != 0;
    struct lane_open *open = depth < lane->depth
                                 ? fill_open(lane, depth, call, &place)
                                 : take_open(lane, depth, call, &place);
    open->site_kind |= kind;
    span_enter_captures(call, site, lane, open);
    if (site->flags & SITE_STACKS)
        fiber_opens(call->sp, lane);
    if (origin.is_apart || (site->flags & SITE_CARRY))
        carry_opened(call, site, lane, open, &origin);
    if (is_tail) { /* nobody will see what it returns */
        call->lane = 0;
        if (site->flags & SITE_CAPTURE_OUT)
            open->site_kind |= SPAN_KIND(LANE_STATUS_CAPTURE_LOST);
    }
    uint64_t tick = span_now();
    if (!cpu_is_fresh(lane,
                      tick)) { /* what passes in there is not the call's */
        cpu_resync(lane);
        tick = span_now();
    }
    start_open(open, tick, cpu_base(lane, tick),
               is_tail ? LANE_OPEN_TAIL : LANE_OPEN_CALL);
}

long (*span_caller_is_known)(long return_address, long unused);

/* Z, and nobody knows this caller yet. False: its return address must stay,
 * and the call is only counted. */
static bool meet_caller(struct shim_call *call, const struct site *site)
{
    lane_assert((call->flags & SHIM_CALL_CALLER) != 0);
    struct lane_session *session = runtime.map.session;
    uint64_t from = *(const uint64_t *)call->sp;
    call->flags &= ~(uint64_t)SHIM_CALL_CALLER;
    if (span_caller_is_known == NULL ||
        shim_call_slow(span_caller_is_known, (long)from, 0)) {
        shim_caller_known(from);
        return true;
    }
    call->flags |= SHIM_CALL_TAIL;
    if (session != NULL && runtime_is_recording() &&
        !(site->flags & (SITE_INTERNAL | SITE_NO_SPAN | SITE_OFF))) {
        span_count_passed(call->site);
        __atomic_fetch_add(&runtime.map.counters[call->site].no_frame, 1,
                           __ATOMIC_RELAXED);
    }
    return false;
}

void span_enter_general(struct shim_call *call, const struct site *site)
{
    lane_assert(site == &runtime.sites[call->site]);
    struct lane_session *session = runtime.map.session;
    if (UNLIKELY(call->flags & SHIM_CALL_CALLER) && !meet_caller(call, site))
        return;
    if (call->flags & SHIM_CALL_LOST) { /* its arguments are not known */
        if (!(site->flags & (SITE_INTERNAL | SITE_NO_SPAN)) && session)
            span_count_passed(call->site);
        return;
    }
    if (site->flags & SITE_INTERNAL) {
        enter_internal(call, site);
        return;
    }
    if (session == NULL || (site->flags & SITE_OFF) ||
        (!runtime_is_recording() && !(site->flags & SITE_FLOW)))
        return;
    if (span_busy != 0) {
        pass_busy(call);
        return;
    }
    if (site->flags & SITE_FLOW) {
        bool recording = runtime_is_recording();
        flow_enter(call, site, recording);
        if (!recording)
            return;
    }
    if (site->flags & SITE_NO_SPAN) {
        if (site->flags & SITE_CARRY)
            carry_enter(call, site, span_get_lane());
        return;
    }
    struct lane *lane = span_get_lane();
    if (lane != NULL)
        open_general(call, site, lane);
    if (UNLIKELY(site->flags & SITE_FLOW))
        flow_opened(call, site);
    if (lane != NULL)
        return;
    if (call->flags & SHIM_CALL_TAIL) { /* no leave will come */
        span_count_passed(call->site);
        return;
    }
    call->flags |= SPAN_COUNT;
    call->open = span_now();
}

/* ---- leave ------------------------------------------------------------ */

static const enum lane_end end_of[] = {
    [SHIM_END_RETURN] = LANE_END_RETURN,
    [SHIM_END_EXCEPTION] = LANE_END_EXCEPTION,
    [SHIM_END_CANCEL] = LANE_END_CANCEL,
};

void span_leave_captures(struct lane *lane, const struct shim_call *call,
                         const struct shim_regs *regs,
                         struct lane_record *record)
{
    lane_assert(runtime.sites[call->site].capture != NULL);
    lane_assert((call->flags & SPAN_OUT) != 0);
    const struct site *site = &runtime.sites[call->site];
    uint64_t before = call->flags & SPAN_DEEP ? call->flags : call->extra;
    struct capture_verdict verdict =
        capture_leave(site, lane, call->span, call, regs, (int)span_errno(),
                      (int)(before >> 32), span_may_hold(record->capture));
    if (verdict.has_value) {
        record->site_status |= span_value_bits(record->capture);
        record->capture = verdict.value;
        return;
    }
    if (UNLIKELY(verdict.is_error)) {
        record->site_status |= SPAN_KIND(LANE_STATUS_ERROR);
        error_write_rule(lane, call->span, (uint32_t)call->site,
                         record->t0_ticks, false);
    }
    if (verdict.is_lost) {
        record->site_status |= SPAN_KIND(LANE_STATUS_CAPTURE_LOST);
        __atomic_fetch_add(&runtime.map.counters[call->site].lost_captures, 1,
                           __ATOMIC_RELAXED);
    }
    record->capture |=
        (uint64_t)verdict.has_output | (uint64_t)verdict.has_error << 1;
}

/* All that depends on how the call ended, then the record. */
static void leave_finish(struct lane *lane, const struct shim_call *call,
                         const struct shim_regs *regs, enum shim_end end,
                         const void *exception, struct lane_record *record)
{
    lane_assert(span_is_own(lane));
    lane_assert(end < sizeof end_of / sizeof *end_of);
    lane_assert(record->span == call->span);
    if ((call->flags & SPAN_OUT) && end == SHIM_END_RETURN)
        span_leave_captures(lane, call, regs, record);
    if (end == SHIM_END_EXCEPTION) {
        record->site_status |= SPAN_KIND(LANE_STATUS_ERROR);
        if (span_write_exception(lane, call->span, (uint32_t)call->site,
                                 record->t0_ticks, exception))
            record->capture |= 2;
    }
    span_write(lane, record);
}

/* Opened on this thread, deeper than there are entries. */
static void leave_deep(struct lane *lane, const struct shim_call *call,
                       const struct shim_regs *regs, enum shim_end end,
                       const void *exception, uint64_t t1)
{
    lane_assert((call->flags & SPAN_DEEP) != 0 && span_is_own(lane));
    struct span_place place = span_find_place(lane, call->sp);
    struct lane_record record = {
        .t0_ticks = call->open,
        .t1_ticks = t1,
        .span = call->span,
        .parent = place.parent,
        .cpu_ns = LANE_CPU_UNKNOWN,
        .site_status =
            (uint32_t)call->site | LANE_SITE_DEEP | SPAN_KIND(end_of[end]),
        .context_depth = place.context | 255u << 24,
    };
    if (call->flags & SPAN_LOST)
        record.site_status |= SPAN_KIND(LANE_STATUS_CAPTURE_LOST);
    if (lane == (struct lane *)call->lane && lane->depth > LANE_OPEN_MAX)
        lane->depth--;
    leave_finish(lane, call, regs, end, exception, &record);
    span_count_deep(lane, call, &record);
}

/* Opened on another thread (a fiber moved), or in the process that forked
 * ours: that one's span is its own affair. */
static void leave_elsewhere(const struct shim_call *call,
                            const struct shim_regs *regs, enum shim_end end,
                            const void *exception, uint64_t t1)
{
    lane_assert(call->lane != 0 && (call->flags & SPAN_COUNT) == 0);
    const struct lane *other = (const struct lane *)call->lane;
    struct lane_open *open = (struct lane_open *)call->open;
    if (*runtime.alive == 0 || other->process != runtime.process ||
        LANE_REF_LANE(call->span) != span_index(other))
        return;
    struct lane *lane = span_busy == 0 ? span_get_lane() : NULL;
    if (call->flags & SPAN_DEEP) {
        if (lane != NULL)
            leave_deep(lane, call, regs, end, exception, t1);
        else
            span_count_deep_alone(call, end == SHIM_END_EXCEPTION, t1);
        return;
    }
    struct lane_open copy = *open;
    copy.state = LANE_OPEN_CALL;
    /* its owner may be closing it as dead at this moment */
    if (copy.span != call->span || !span_take(open, &copy))
        return;
    if (lane == NULL) {
        span_count((uint32_t)call->site, t1 - copy.t0_ticks, end == 1);
        return;
    }
    struct lane_record record;
    span_fill(&record, &copy, t1, LANE_CPU_UNKNOWN, end_of[end]);
    leave_finish(lane, call, regs, end, exception, &record);
}

static void leave_span(struct shim_call *call, const struct shim_regs *regs,
                       enum shim_end end, void *exception, uint64_t t1)
{
    lane_assert(call->site != 0 && call->site < SHIM_SITE_MAX);
    if (call->lane == 0 && (call->flags & SPAN_COUNT) == 0)
        return;
    if (call->flags & SPAN_COUNT) {
        span_count((uint32_t)call->site, t1 - call->open,
                   end == SHIM_END_EXCEPTION);
        return;
    }
    struct lane *lane = (struct lane *)call->lane;
    if (lane != span_lane || *runtime.alive != span_thread.alive) {
        leave_elsewhere(call, regs, end, exception, t1);
        return;
    }
    if (call->flags & SPAN_DEEP) {
        leave_deep(lane, call, regs, end, exception, t1);
        return;
    }
    struct lane_open *open = (struct lane_open *)call->open;
    if (open->span != call->span || span_state(open) != LANE_OPEN_CALL) {
        shim_entries_keep(); /* closed as dead, and its frame came back */
        return;
    }
    uint64_t cpu = LANE_CPU_UNKNOWN;
    if (cpu_base(lane, t1) != LANE_CPU_UNKNOWN &&
        open->cpu_ns != LANE_CPU_UNKNOWN)
        cpu = cpu_spent(lane, open->cpu_ns, open->t0_ticks, t1);
    span_close_above(lane, open, t1, end_of[end]);
    struct lane_record record;
    span_fill(&record, open, t1, cpu, end_of[end]);
    leave_finish(lane, call, regs, end, exception, &record);
    span_drop(lane, open);
}

void span_leave_general(struct shim_call *call, const struct shim_regs *regs,
                        enum shim_end end, void *exception, uint64_t tick)
{
    lane_assert(end < sizeof end_of / sizeof *end_of);
    if (UNLIKELY(call->flags & SHIM_CALL_LEFT))
        shim_entries_keep();
    if (call->flags & SPAN_HOOK) {
        const struct site *site = &runtime.sites[call->site];
        if (end == SHIM_END_RETURN)
            site->hook_leave(call, regs);
        return;
    }
    if (UNLIKELY(call->flags & SPAN_FLOW) && span_busy == 0)
        flow_leave(call, regs, end == SHIM_END_RETURN, runtime_is_recording());
    uint64_t t1 = span_process.is_ticks ? tick : span_now();
    bool is_carrying = (call->flags & SPAN_CARRY) && end == SHIM_END_RETURN;
    if (is_carrying)
        carry_leave(call, regs);
    leave_span(call, regs, end, exception, t1);
    if (is_carrying)
        carry_left(call, regs, t1);
}
