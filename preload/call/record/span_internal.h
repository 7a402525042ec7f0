/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What span*.c, thread.c and process.c share. All of them are compiled with
 * general registers only; what calls libc goes through shim_call_slow().
 *
 * A lane's open spans are a stack: open[0 .. depth). An opener takes its entry
 * by raising `depth`, fills it in, and stores `state` last; a signal handler
 * that comes in between works above it and leaves depth as it was. So of the
 * entries below depth
 *
 *   FREE  is being filled by code that we interrupt (or was left behind by a
 *         longjmp out of a signal handler): never touched, never a parent
 *   CALL  will be closed by a leave, TAIL by the leave of the CALL below it
 *   DONE  was closed out of order (longjmp, fibers, another thread): goes when
 *         it comes to the top; where the stack is deep, it is taken again by a
 *         call above whose entries on its machine stack it stands
 *   CONTEXT is no span: an item was popped here, and what opens above it on
 *         this stack belongs to that (carry.h)
 *
 * Fibers: one lane's stack then holds spans of several machine stacks, mixed.
 * The thread's own stack is known, and those that makecontext and its like
 * were given (fiber.h); elsewhere close neighbours count as the same stack.
 */
#pragma once
#include <stdbool.h>
#include "lane/format/context_frames.h"
#include "lane/format/ids.h"
#include "lane/writer/writer.h"
#include "lane/x86_64/machine.h"
#include "preload/call/record/span.h"

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* shim_call.flags, the runtime's bits */
enum span_flags {
    SPAN_DEEP = 1 << 8,   /* no open entry: `open` is the start, `extra` see
                             span_lost.c */
    SPAN_COUNT = 1 << 9,  /* no lane: counted only; `open` is the start */
    SPAN_OUT = 1 << 10,   /* capture_leave has something to do; the upper half
                             of `extra` is errno at entry, 0 with SPAN_VALUE */
    SPAN_HOOK = 1 << 11,  /* SITE_INTERNAL with a hook_leave */
    SPAN_FLOW = 1 << 12,  /* flow_leave() has something to do */
    SPAN_CARRY = 1 << 13, /* carry_leave() has something to do */
    SPAN_LOST = 1 << 14,  /* SPAN_DEEP: there was no room for its inputs */
    SPAN_OUTERMOST = 1 << 15, /* SPAN_DEEP: none of its site is around it */
    SPAN_VALUE = 1 << 16,     /* SPAN_OUT of a site with SITE_VALUE */
};
/* What the plain way does as well. */
enum {
    SITE_CAPTURES = SITE_CAPTURE_IN | SITE_CAPTURE_OUT | SITE_FREG | SITE_KEEP |
                    SITE_DIRECT | SITE_VALUE
};
/* The kind of an open entry are the status bits its record will have. */
#define SPAN_KIND(status) ((uint32_t)(status) << 24)

/* What each span of this process needs; written when it registers. */
struct span_process {
    uint64_t ref;      /* reference of the process's own span */
    uint32_t context;  /* its context */
    uint32_t is_ticks; /* the session's clock is rdtsc */
};
extern HIDDEN struct span_process span_process;
/* The program's errno. */
static inline uint32_t span_errno(void)
{
    return span_thread.error ? (uint32_t)*span_thread.error : 0;
}
/* Is this a forked child that has the lane of its parent's thread at hand? */
static inline bool span_is_forked(void)
{
    return *runtime.alive != span_thread.alive;
}
/* This thread's lane, got now if need be; NULL: there is none. */
HIDDEN struct lane *span_get_lane(void);
/* May Z replace the return address of a caller that was not seen yet?
 * (callers.c; NULL: of all.) Out of a hook, through shim_call_slow(). */
extern HIDDEN long (*span_caller_is_known)(long return_address, long unused);
/* Now, whatever the session's clock. */
HIDDEN uint64_t span_now(void);

/* ---- span_stack.c ----------------------------------------------------- */

/* Whose work a call is, in full: see carry.h. */
struct span_origin {
    uint64_t parent;
    uint32_t context;
    bool is_apart;     /* its parent is not what called it */
    bool is_outermost; /* nothing is open on its stack */
    uint8_t orphan;    /* enum lane_orphan, 0: the parent is known */
    uint64_t carried_ticks, adopted_ticks; /* 0: not for this span */
    struct lane_open *mark; /* the CONTEXT entry that says so, or NULL */
};
/* Words of a lane can be anybody's: what is taken from one counts as an index
 * only below its bound, and is read once. */
static inline uint64_t span_depth_seen(const struct lane *lane)
{
    return __atomic_load_n(&lane->depth, __ATOMIC_RELAXED);
}
static inline uint64_t span_depth(const struct lane *lane)
{
    uint64_t depth = span_depth_seen(lane);
    return depth < LANE_OPEN_MAX ? depth : LANE_OPEN_MAX;
}
/* Of a lane that is known by its address. */
static inline uint32_t span_index(const struct lane *lane)
{
    return (uint32_t)(lane - runtime.map.lanes);
}
/* For assertions, by addresses alone: is this the calling thread's lane? Does
 * an entry stand in it? */
static inline bool span_is_own(const struct lane *lane)
{
    return lane != NULL && span_index(lane) == span_thread.window.index;
}
static inline bool span_has_entry(const struct lane *lane,
                                  const struct lane_open *open)
{
    return open >= lane->open && open < lane->open + LANE_OPEN_MAX;
}
/* What an entry is; who looks at it, see span_take(), stands above that. */
static inline uint64_t span_state(const struct lane_open *open)
{
    /* acquire; pairs with start_open() */
    return __atomic_load_n(&open->state, __ATOMIC_ACQUIRE) & LANE_OPEN_STATE;
}
/* End an entry of one's own lane, once: the thread that its fiber went to may
 * be returning. `copy`: as it was, and as it is ended. */
static inline bool span_claim(struct lane_open *open, struct lane_open *copy)
{
    uint64_t plain = copy->state & LANE_OPEN_STATE, state = copy->state;
    lane_assert(plain != LANE_OPEN_FREE && plain != LANE_OPEN_DONE);
    copy->state = plain;
    /* pairs with those of span_take() */
    while (!__atomic_compare_exchange_n(&open->state, &state, LANE_OPEN_DONE,
                                        false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
        if ((state & LANE_OPEN_STATE) != plain)
            return false;
    return true;
}
/*
 * The same in whosever lane: its owner may end the entry, too, and open another
 * call in it. So first the word says who looks and leaves the state as it is;
 * then it is known whether span and sp are still those of `copy`; then the
 * entry is taken if the word is still that. Its owner writes over it whenever
 * it likes; another one that looks does, too, and then it is done again.
 */
static inline bool span_take(struct lane_open *open, struct lane_open *copy)
{
    uint64_t plain = copy->state & LANE_OPEN_STATE, span = copy->span,
             sp = copy->sp;
    lane_assert(plain != LANE_OPEN_FREE && plain != LANE_OPEN_DONE);
    for (;;) {
        uint64_t mark = (uint64_t)&span_thread << 8 | plain;
        uint64_t state = __atomic_load_n(&open->state, __ATOMIC_RELAXED);
        if ((state & LANE_OPEN_STATE) != plain)
            return false;
        /* acquire; pairs with start_open(), and with those here */
        if (!__atomic_compare_exchange_n(&open->state, &state, mark, false,
                                         __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            continue;
        *copy = *open;
        copy->state = plain;
        bool is_it = copy->span == span && copy->sp == sp;
        /* release; pairs with the exchange above, and with span_claim() */
        if (__atomic_compare_exchange_n(
                &open->state, &mark, is_it ? (uint64_t)LANE_OPEN_DONE : plain,
                false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED) ||
            !is_it)
            return is_it;
        copy->span = span;
        copy->sp = sp;
    }
}
/* The machine stack that an address lies on, as far as is known. */
struct span_machine_stack {
    uint64_t low, high;
    bool is_exact;       /* else: what is near enough to be on it */
    struct fiber *fiber; /* NULL: the thread's own, or not known */
};
static inline bool span_on_own_stack(uint64_t sp)
{
    return sp >= span_thread.stack_low && sp < span_thread.stack_high;
}
HIDDEN struct span_machine_stack span_stack_at(uint64_t sp);
/* What the end of a stack is where no frame of ours is put on it. */
HIDDEN uint64_t span_end_bytes(uint64_t stack_bytes);
/* Frames of F that a stack may hold. */
HIDDEN uint64_t span_most_frames(uint64_t stack_bytes);
/* May this call have no frame on its stack any more? */
HIDDEN bool span_is_stack_full(const struct lane *lane,
                               const struct shim_call *call);
/* Are these two on one machine stack, as far as is known? */
HIDDEN bool span_same_stack(uint64_t a, uint64_t b);
/* Before a span is opened at `sp`: close what a longjmp left behind. */
HIDDEN void span_settle(struct lane *lane, uint64_t sp, bool is_tail);
/* Parent and context of a call at `sp`. */
HIDDEN struct span_place span_find_place(struct lane *lane, uint64_t sp);
HIDDEN struct span_origin span_find_origin(struct lane *lane, uint64_t sp);
/* The same in a thread without lane: only a fiber's call is known. */
HIDDEN bool span_find_fiber_place(uint64_t sp, struct span_place *out);
/* Nobody knows: below the process. */
HIDDEN struct span_origin span_orphan(enum lane_orphan reason);
enum {
    CARRY_FRAME_DIRECT = 1,
};
/* What was popped by the call at `sp`: the calls that its caller makes from
 * now on belong to it. `frame`: see carry_find_frame. False: no room. */
HIDDEN bool span_push_context(struct lane *lane, uint64_t sp, uint64_t frame,
                              const struct span_origin *origin);
/* Does a mark still hold for a call at `sp` on its stack? And what it says. */
HIDDEN bool span_context_holds(const struct lane_open *open, uint64_t sp);
/* enum lane_orphan: why nobody knows whose item it is; 0: it is known. */
HIDDEN uint8_t span_context_orphan(const struct lane_open *open);
/* False: it may hold, but nobody knows. */
HIDDEN bool span_context_is_sure(const struct lane_open *open, uint64_t sp);
HIDDEN void span_context_origin(struct lane_open *open, uint64_t sp,
                                struct span_origin *origin);
/* What was popped before by the function that calls at `sp` is done. */
HIDDEN void span_drop_contexts(struct lane *lane, uint64_t sp);
/* A trace of its own for the outermost call of a root. False: no room. */
HIDDEN bool span_take_context(uint32_t *context);
/* End what is open on this stack: it is given to somebody else. */
HIDDEN void span_end_stack(struct lane *lane, struct lane *of, uint64_t low,
                           uint64_t high);
/* The entry that a tail call at `call` continues, NULL if it has none. */
HIDDEN struct lane_open *span_tail_base(struct lane *lane,
                                        const struct shim_call *call);
/* Before `open` is closed: end what is above it and ends with it. */
HIDDEN void span_close_above(struct lane *lane, struct lane_open *open,
                             uint64_t t1, enum lane_end end);
/* The thread jumps from `from` to `to` (stack pointers): end what is open in
 * between. (span_jump.c) */
HIDDEN void span_jump(struct lane *lane, uint64_t from, uint64_t to);
/* Take `open` off the stack (its record is written). */
HIDDEN void span_drop(struct lane *lane, struct lane_open *open);
/* Where a call gets its entry: the place on top, LANE_OPEN_MAX or more when
 * there is none; where the stack is deep, one that was closed out of order
 * below others: above all that is open on its machine stack, so that each one's
 * parent is still found below it. That one is FREE then, and counts once it is
 * filled in. */
HIDDEN uint64_t span_find_entry(struct lane *lane,
                                const struct shim_call *call);
/* Take DONE entries off the top. */
HIDDEN void span_pop_done(struct lane *lane);

/* What its site keeps of the arguments. (capture.c) */
HIDDEN void span_enter_captures(struct shim_call *call, const struct site *site,
                                struct lane *lane, struct lane_open *open);

/* ---- span_record.c ---------------------------------------------------- */

/* The record of an open span, ended at t1. */
static inline void span_fill(struct lane_record *record,
                             const struct lane_open *open, uint64_t t1,
                             uint64_t cpu_ns, enum lane_end end)
{
    record->t0_ticks = open->t0_ticks;
    record->t1_ticks = t1;
    record->span = open->span;
    record->parent = open->parent;
    record->cpu_ns = cpu_ns;
    record->capture = open->capture;
    record->site_status = open->site_kind | SPAN_KIND(end);
    record->context_depth = open->context_depth;
}
/* May the record hold a value in the place of this? And what its site's word
 * says then. */
static inline bool span_may_hold(uint64_t capture)
{
    return (capture & LANE_CAPTURE_QUEUE) == 0;
}
static inline uint32_t span_value_bits(uint64_t capture)
{
    lane_assert(span_may_hold(capture));
    return LANE_SITE_VALUE | (capture != 0 ? LANE_SITE_INPUT : 0u);
}
/* Write it; if there is no room even so, keep or count it. */
HIDDEN void span_write(struct lane *lane, const struct lane_record *record);
/* No room in the log: get some, wait for it where that is the policy. False:
 * there is none. */
HIDDEN bool span_make_room(struct lane *lane);
/* End an open span: fill, write. */
HIDDEN void span_end_open(struct lane *lane, const struct lane_open *open,
                          uint64_t t1, enum lane_end end);

/* ---- span_lost.c ------------------------------------------------------- */

/* The log has no room for it. */
HIDDEN void span_write_lost(struct lane *lane,
                            const struct lane_record *record);
/* A call beyond LANE_OPEN_MAX begins; and ends, on a thread with this lane; or
 * where nobody knows what is below it. */
HIDDEN void span_enter_deep(struct shim_call *call, struct lane *lane);
/* Its clock starts: after that errno at entry is the upper half of its flags.
 */
HIDDEN void span_start_deep(struct shim_call *call, struct lane *lane);
HIDDEN void span_count_deep(struct lane *lane, const struct shim_call *call,
                            const struct lane_record *record);
HIDDEN void span_count_deep_alone(const struct shim_call *call, bool is_failed,
                                  uint64_t t1);
/* What was beyond it is gone. */
HIDDEN void span_forget_deep(struct lane *lane);
/* A call without lane: nobody knows what is around it. */
HIDDEN void span_count(uint32_t site, uint64_t ticks, bool is_error);
/* A call that has no frame on its stack, or no leave: without a time. */
HIDDEN void span_count_passed(uint64_t site);
/* A call that was gone before anybody saw it: its end is not known. */
HIDDEN void span_count_late(uint64_t site);
/* The error frame, and what led to it, of a span that `exception` passes.
 * False: no room. (error_throw.c) */
HIDDEN bool span_write_exception(struct lane *lane, uint64_t span,
                                 uint32_t site, uint64_t t0_ticks,
                                 const void *exception);
