/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of fibers' stacks: see fiber.h.
 *
 * Records, and an index over them: words of 64 KiB granule and record, open
 * addressing. A word may be stale (its record lies elsewhere now); the record
 * has the last word, and a stale one gives its place to the next granule.
 * No lock: two threads never make stacks of the same memory, so they meet only
 * in old records and free words, which are claimed by compare and exchange.
 * Bounded: a stack too many is counted, and its calls are orphans.
 */
#include "preload/call/stack/fiber.h"
#include "preload/call/record/process_self.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "preload/call/memory/read.h"
#include "preload/call/record/sandbox.h"
#include "shim/checker.h"
#include "lane/format/assert.h"

enum {
    FIBERS = 16384,
    WORDS = 65536,
    PROBES = 32,
    GRANULE_SHIFT = 16,
    GRANULES_MAX = 256, /* of one stack, from its top: 16 MiB */
    GENERATIONS = (1 << 19) - 1,
    CLAIMED = 1, /* fiber.high: somebody is making it another stack's */
};

struct fiber {
    uint64_t generation; /* of the stacks that this record stood for; from 1 */
    uint64_t low, high;  /* high 0 or CLAIMED: not valid */
    struct span_place maker;
    uint64_t lanes[LANE_MAX / 64]; /* bit: that lane opened spans on it */
};

struct fibers {
    struct fiber at[FIBERS];
    uint64_t word[WORDS]; /* generation 19 bits, granule 31, record 14 */
    uint32_t count;
};
static struct fibers *fibers; /* NULL: none was seen */
static struct fibers *room;   /* for them */

static uint64_t word_of(uint64_t generation, uint64_t granule, uint64_t record)
{
    return generation << 45 | granule << 14 | record;
}

static uint64_t granule_of(uint64_t word)
{
    lane_assert(word != 0);
    return word >> 14 & 0x7fffffff;
}

static struct fiber *record_of(struct fibers *all, uint64_t word)
{
    lane_assert(word != 0);
    return &all->at[word & (FIBERS - 1)];
}

static uint32_t word_at(uint64_t granule, uint32_t probe)
{
    return (uint32_t)(lane_mix64(granule) + probe) % WORDS;
}

/* A consistent look at a record. */
static bool covers(const struct fiber *fiber, uint64_t sp, uint64_t *low,
                   uint64_t *high)
{
    /* acquire; pairs with put_fiber; `high` is CLAIMED meanwhile */
    *high = __atomic_load_n(&fiber->high, __ATOMIC_ACQUIRE);
    *low = __atomic_load_n(&fiber->low, __ATOMIC_ACQUIRE);
    return sp < *high && sp >= *low &&
           __atomic_load_n(&fiber->high, __ATOMIC_ACQUIRE) == *high;
}

struct fiber *fiber_find(uint64_t sp, uint64_t *low, uint64_t *high)
{
    /* acquire; pairs with get_fibers(), then with put_word() */
    struct fibers *all = __atomic_load_n(&fibers, __ATOMIC_ACQUIRE);
    uint64_t granule = sp >> GRANULE_SHIFT, a, b;
    for (uint32_t i = 0; all && i < PROBES; i++) {
        uint64_t word =
            __atomic_load_n(&all->word[word_at(granule, i)], __ATOMIC_ACQUIRE);
        if (word == 0)
            break;
        if (granule_of(word) != granule)
            continue;
        struct fiber *fiber = record_of(all, word);
        if (!covers(fiber, sp, &a, &b))
            continue;
        *low = a;
        *high = b;
        return fiber;
    }
    return NULL;
}

struct span_place fiber_maker(const struct fiber *fiber)
{
    return fiber->maker;
}

void fiber_forked(uint64_t sp)
{
    uint64_t low, high;
    struct fiber *fiber = fiber_find(sp, &low, &high);
    if (fiber && runtime.map.session)
        fiber->maker =
            (struct span_place){span_process.ref, span_process.context};
}

void fiber_opens(uint64_t sp, const struct lane *lane)
{
    lane_assert(span_is_own(lane));
    uint32_t index = span_index(lane);
    uint64_t low, high, bit = UINT64_C(1) << index % 64;
    struct fiber *fiber = fiber_find(sp, &low, &high);
    uint64_t *word = fiber ? &fiber->lanes[index / 64] : NULL;
    if (word && (__atomic_load_n(word, __ATOMIC_RELAXED) & bit) == 0)
        __atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
}

/* The innermost of one lane. Its owner changes other entries meanwhile; those
 * on our stack only we do. */
static bool look_in(const struct lane *lane, const struct fiber *fiber,
                    uint64_t sp, struct lane_open *out)
{
    lane_assert(out != NULL && lane >= runtime.map.lanes);
    bool is_found = false;
    for (uint64_t i = 0, depth = span_depth(lane); i < depth; i++) {
        const struct lane_open *open = &lane->open[i];
        /* acquire; pairs with fill_open() */
        uint64_t state = span_state(open);
        if (open->sp < sp || open->sp >= fiber->high ||
            (state != LANE_OPEN_CALL && state != LANE_OPEN_TAIL &&
             state != LANE_OPEN_CONTEXT) ||
            (is_found && open->sp > out->sp))
            continue;
        struct lane_open copy = *open;
        if (span_state(&copy) != state || open->span != copy.span ||
            (state == LANE_OPEN_CONTEXT && !span_context_holds(&copy, sp)))
            continue;
        *out = copy;
        is_found = true;
    }
    return is_found;
}

bool fiber_find_open(struct fiber *fiber, const struct lane *lane, uint64_t sp,
                     struct lane_open *out)
{
    struct lane_open copy;
    bool is_found = false;
    for (uint32_t i = 0; i < LANE_MAX / 64; i++) {
        uint64_t bits = __atomic_load_n(&fiber->lanes[i], __ATOMIC_RELAXED);
        for (; bits; bits &= bits - 1) {
            uint32_t index = i * 64 + (uint32_t)__builtin_ctzll(bits);
            const struct lane *other = &runtime.map.lanes[index];
            if (other == lane || other->process != runtime.process ||
                !look_in(other, fiber, sp, &copy) ||
                (is_found && copy.sp > out->sp))
                continue;
            *out = copy;
            is_found = true;
        }
    }
    return is_found;
}

/* ---- making ------------------------------------------------------------ */

void fiber_reserve(void)
{
    struct fibers *none = NULL;
    if (room != NULL || sandboxed)
        return;
    long at = machine_syscall(
        SYS_mmap, 0, (long)sizeof(*room), PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at < 0 && at > -4096)
        return;
    checker_is_shared((void *)at, sizeof(*room));
    /* pairs with the load in get_fibers() */
    if (!__atomic_compare_exchange_n(&room, &none, (struct fibers *)at, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        machine_syscall(SYS_munmap, at, (long)sizeof(*room), 0, 0, 0, 0);
}

static struct fibers *get_fibers(void)
{
    /* acquire; pairs with the exchange below */
    struct fibers *all = __atomic_load_n(&fibers, __ATOMIC_ACQUIRE);
    struct fibers *none = NULL;
    if (all)
        return all;
    fiber_reserve();
    /* acquire; pairs with the exchange in fiber_reserve() */
    if ((all = __atomic_load_n(&room, __ATOMIC_ACQUIRE)) == NULL)
        return NULL;
    /* the plain way of a call does not look which stack it stands on. Before
     * the table is there: who finds it need not look. */
    for (uint32_t i = 1; i < SHIM_SITE_MAX; i++)
        __atomic_fetch_or(&runtime.sites[i].flags, (uint32_t)SITE_STACKS,
                          __ATOMIC_RELAXED);
    /* pairs with fiber_find(), and with the loser's load */
    (void)__atomic_compare_exchange_n(&fibers, &none, all, false,
                                      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    return all;
}

/* A word that its record has outlived. One of its present stack is not, also
 * while that is being put there. */
static bool is_stale(struct fibers *all, uint64_t word)
{
    lane_assert(word != 0);
    const struct fiber *fiber = record_of(all, word);
    /* acquire; pairs with put_fiber() */
    uint64_t generation = __atomic_load_n(&fiber->generation, __ATOMIC_ACQUIRE);
    return (generation & GENERATIONS) != word >> 45 ||
           __atomic_load_n(&fiber->high, __ATOMIC_ACQUIRE) == 0;
}

/* The record that lies on some of [low, high), if only one byte; *seen is its
 * high: claim() fails if it is another stack's meanwhile. */
static struct fiber *find_overlap(struct fibers *all, uint64_t low,
                                  uint64_t high, uint64_t *seen)
{
    lane_assert(low < high && all != NULL);
    uint64_t first = low >> GRANULE_SHIFT, last = (high - 1) >> GRANULE_SHIFT;
    if (last - first >= GRANULES_MAX)
        first = last - GRANULES_MAX + 1;
    for (uint64_t granule = last + 1; granule-- > first;) {
        for (uint32_t i = 0; i < PROBES; i++) {
            /* acquire; pairs with put_word() */
            uint64_t word = __atomic_load_n(&all->word[word_at(granule, i)],
                                            __ATOMIC_ACQUIRE);
            if (word == 0)
                break;
            if (granule_of(word) != granule)
                continue;
            struct fiber *fiber = record_of(all, word);
            /* acquire; pairs with put_fiber() */
            *seen = __atomic_load_n(&fiber->high, __ATOMIC_ACQUIRE);
            if (*seen > low &&
                __atomic_load_n(&fiber->low, __ATOMIC_ACQUIRE) < high)
                return fiber;
        }
    }
    return NULL;
}

static bool claim(struct fiber *fiber, uint64_t high)
{
    lane_assert(fiber != NULL);
    /* pairs with put_fiber() and covers() */
    return high != CLAIMED && __atomic_compare_exchange_n(
                                  &fiber->high, &high, (uint64_t)CLAIMED, false,
                                  __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static struct fiber *take_record(struct fibers *all)
{
    lane_assert(all != NULL);
    uint32_t at = __atomic_load_n(&all->count, __ATOMIC_RELAXED);
    if (at < FIBERS)
        at = __atomic_fetch_add(&all->count, 1, __ATOMIC_RELAXED);
    if (at < FIBERS)
        return &all->at[at];
    static uint32_t cursor;
    for (int i = 0; i < 64; i++) {
        at = __atomic_fetch_add(&cursor, 1, __ATOMIC_RELAXED) % FIBERS;
        if (claim(&all->at[at], 0))
            return &all->at[at];
    }
    return NULL;
}

static bool put_word(struct fibers *all, uint64_t granule, uint64_t mine)
{
    lane_assert(mine != 0);
    for (uint32_t i = 0; i < PROBES; i++) {
        uint64_t *word = &all->word[word_at(granule, i)];
        /* acquire; pairs with the exchange below */
        uint64_t stands = __atomic_load_n(word, __ATOMIC_ACQUIRE);
        /* release; pairs with fiber_find */
        if ((stands == 0 || is_stale(all, stands)) &&
            __atomic_compare_exchange_n(word, &stands, mine, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

static bool put_fiber(struct fibers *all, struct fiber *fiber, uint64_t low,
                      uint64_t high, struct span_place maker)
{
    lane_assert(low < high);
    uint64_t first = low >> GRANULE_SHIFT, last = (high - 1) >> GRANULE_SHIFT;
    bool ok = true;
    uint64_t generation = (fiber->generation + 1) & GENERATIONS;
    generation += generation == 0;
    /* release; pairs with is_stale(), covers(), find_overlap() */
    __atomic_store_n(&fiber->generation, generation, __ATOMIC_RELEASE);
    __atomic_store_n(&fiber->low, low, __ATOMIC_RELEASE);
    fiber->maker = maker;
    for (uint32_t i = 0; i < LANE_MAX / 64; i++)
        fiber->lanes[i] = 0;
    __atomic_store_n(&fiber->high, high, __ATOMIC_RELEASE);
    if (last - first >= GRANULES_MAX)
        first = last - GRANULES_MAX + 1;
    for (uint64_t granule = last + 1; granule-- > first;)
        ok &=
            put_word(all, granule,
                     word_of(generation, granule, (uint64_t)(fiber - all->at)));
    return ok;
}

/* What is open on it in any lane was left behind when it was given up. */
static void end_spans(struct lane *lane, const struct fiber *fiber,
                      uint64_t low, uint64_t high)
{
    lane_assert(low <= high);
    if (lane == NULL)
        return;
    span_end_stack(lane, lane, low, high);
    for (uint32_t i = 0; fiber && i < LANE_MAX / 64; i++) {
        uint64_t bits = fiber->lanes[i];
        for (; bits; bits &= bits - 1) {
            uint32_t index = i * 64 + (uint32_t)__builtin_ctzll(bits);
            struct lane *other = &runtime.map.lanes[index];
            if (other != lane && other->process == runtime.process)
                span_end_stack(lane, other, low, high);
        }
    }
}

void fiber_made(uint64_t low, uint64_t high, uint64_t sp)
{
    struct lane *lane = span_lane;
    bool is_mine = lane && *runtime.alive == span_thread.alive;
    struct span_place maker = span_here();
    if (high <= low || high >> 47 != 0 || runtime.map.session == NULL)
        return;
    if (is_mine)
        maker = span_find_place(lane, sp);
    struct fibers *all = get_fibers();
    struct fiber *mine = NULL, *old;
    uint64_t seen;
    end_spans(is_mine ? lane : NULL, NULL, low, high);
    while (all && (old = find_overlap(all, low, high, &seen)) != NULL) {
        if (!claim(old, seen))
            continue; /* another thread has it for its part */
        end_spans(is_mine ? lane : NULL, old, low, high);
        /* release; pairs with claim() of take_record() */
        if (mine)
            __atomic_store_n(&old->high, 0, __ATOMIC_RELEASE);
        else
            mine = old;
    }
    if (all && !mine)
        mine = take_record(all);
    if (!mine || !put_fiber(all, mine, low, high, maker))
        __atomic_fetch_add(&runtime.map.session->carry.stacks, 1,
                           __ATOMIC_RELAXED);
}

/* ---- the functions that make them -------------------------------------- */

/* void makecontext(ucontext_t *ucp, void (*func)(), int argc, ...) */
void fiber_makecontext(struct shim_call *call)
{
    const struct reader reader = {.pid = process_self()};
    stack_t stack;
    uint64_t at = call->args.rdi + offsetof(ucontext_t, uc_stack);
    if (read_bytes(&reader, &stack, at, sizeof stack) != sizeof stack)
        return;
    uint64_t low = (uint64_t)stack.ss_sp, high;
    if (!__builtin_add_overflow(low, stack.ss_size, &high))
        fiber_made(low, high, call->sp);
}

/* fcontext_t make_fcontext(void *top, size_t size, void (*fn)(transfer_t)) */
void fiber_make_fcontext(struct shim_call *call)
{
    uint64_t top = call->args.rdi, low;
    if (!__builtin_sub_overflow(top, call->args.rsi, &low))
        fiber_made(low, top, call->sp);
}
