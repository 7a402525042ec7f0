/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that leave no record: into the counters of their site, with all that
 * the screens tell of them. A record that finds no room may still go into
 * lane->kept[]:
 *
 *  - spans that were open when the room ran out. So whatever is in the log has
 *    all that is around it there too, and of a call without record nothing
 *    below it has one: then what is known here is enough for exact figures;
 *  - while their slot is free: spans that failed, that took long_ns, that are
 *    outermost on their thread.
 *
 * Runs within enter and leave, also in signal handlers; general registers only,
 * no system call.
 */
#include "preload/call/record/span_internal.h"

#include "lane/format/histogram.h"
#include "preload/call/record/cpu.h"
#include "lane/format/assert.h"

static const uint64_t long_ns = 1000 * 1000;
/* What its time is no part of. */
static const uint32_t detached =
    SPAN_KIND(LANE_STATUS_ROOT) | SPAN_KIND(LANE_STATUS_APART);

static void add(uint64_t *word, uint64_t value)
{
    __atomic_fetch_add(word, value, __ATOMIC_RELAXED);
}

static void raise_to(uint64_t *word, uint64_t value)
{
    uint64_t seen = __atomic_load_n(word, __ATOMIC_RELAXED);
    while (seen < value &&
           !__atomic_compare_exchange_n(word, &seen, value, true,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

static bool is_error(const struct lane_record *record)
{
    return (record->site_status & SPAN_KIND(LANE_STATUS_ERROR)) != 0;
}

/* A site that came out of a broken lane counts for nobody. */
static struct lane_counter *counter_of(uint64_t site)
{
    bool is_there = site < runtime.map.table[LANE_TABLE_COUNTERS].capacity;
    return &runtime.map.counters[is_there ? site : 0];
}

/* ---- what it adds to -------------------------------------------------- */

static void add_time(uint32_t site, uint64_t ticks)
{
    lane_assert(site < SHIM_SITE_MAX);
    lane_assert(lane_histogram_bucket(ticks) < LANE_HISTOGRAM_BUCKETS);
    struct lane_counter *counter = counter_of(site);
    const struct manifest_decl *decl = runtime.sites[site].decl;
    __atomic_fetch_add(&counter->histogram[lane_histogram_bucket(ticks)], 1,
                       __ATOMIC_RELAXED);
    raise_to(&counter->max_ticks, ticks);
    if (decl && decl->slow_ns && ticks > cpu_ticks_of_ns(decl->slow_ns))
        add(&counter->slow, 1);
}

/* The entry of the call around this one, NULL: none whose time it is part of.
 */
static struct lane_open *find_parent(struct lane *lane,
                                     const struct lane_record *record)
{
    lane_assert(span_is_own(lane));
    uint64_t i = span_depth(lane);
    if ((record->site_status & detached) != 0 ||
        LANE_REF_LANE(record->parent) != span_thread.window.index)
        return NULL;
    for (; i > 0; i--)
        if (lane->open[i - 1].span == record->parent)
            return &lane->open[i - 1];
    return NULL;
}

/* Is an activation of this site around what `open` is? */
static bool is_within(const struct lane *lane, const struct lane_open *open,
                      uint32_t site, uint32_t context)
{
    while (open) {
        if (LANE_SITE_OF(open->site_kind) == site &&
            (open->context_depth & 0xffffff) == context)
            return true;
        if ((open->site_kind & detached) != 0)
            return false;
        uint64_t parent = open->parent;
        while (open > lane->open && (--open)->span != parent)
            ;
        if (open->span != parent)
            return false;
    }
    return false;
}

/* Its time is the caller's no more. */
static void take_from_parent(struct lane_open *parent, uint64_t ticks)
{
    if (parent == NULL)
        return;
    parent->site_kind |= LANE_SITE_PART;
    add(&counter_of(LANE_SITE_OF(parent->site_kind))->self_ticks, -ticks);
}

static void count_record(struct lane *lane, const struct lane_record *record)
{
    lane_assert(span_is_own(lane));
    uint32_t site = LANE_SITE_OF(record->site_status);
    uint32_t context = record->context_depth & 0xffffff;
    struct lane_counter *counter = counter_of(site);
    struct lane_open *parent = find_parent(lane, record);
    uint64_t ticks = record->t1_ticks - record->t0_ticks;
    bool is_cpu_known = record->cpu_ns != LANE_CPU_UNKNOWN;
    uint64_t cpu_ns = is_cpu_known ? record->cpu_ns : 0;
    add(&counter->calls, 1);
    add(&counter->errors, is_error(record));
    add(&counter->self_ticks, ticks);
    add(&counter->loose, context != span_process.context);
    add_time(site, ticks);
    take_from_parent(parent, ticks);
    if (!is_within(lane, parent, site, context)) {
        add(&counter->total_ticks, ticks);
        add(&counter->cpu_ns, cpu_ns);
        add(&counter->cpu_unknown, !is_cpu_known);
    }
    if (record->context_depth >> 24 == 0 &&
        (record->site_status & SPAN_KIND(LANE_STATUS_APART)) == 0) {
        add(&counter->top_ticks, ticks);
        add(&counter->top_cpu_ns, cpu_ns);
    }
}

void span_count(uint32_t site, uint64_t ticks, bool is_failed)
{
    lane_assert(site != 0 && site < SHIM_SITE_MAX);
    struct lane_counter *counter = counter_of(site);
    add(&counter->calls, 1);
    add(&counter->loose, 1);
    add(&counter->cpu_unknown, 1);
    add(&counter->errors, is_failed);
    add(&counter->total_ticks, ticks);
    add(&counter->self_ticks, ticks);
    add_time(site, ticks);
}

void span_count_late(uint64_t site)
{
    add(&counter_of(site)->loose, 1);
    add(&runtime.map.session->carry.gone, 1);
}

void span_count_passed(uint64_t site)
{
    lane_assert(site != 0 && site < SHIM_SITE_MAX);
    add(&counter_of(site)->calls, 1);
    add(&counter_of(site)->untimed, 1);
}

/* ---- beyond LANE_OPEN_MAX ---------------------------------------------
 * Such a call has no entry. Time below it is summed in one word of the lane,
 * which it keeps for its caller meanwhile; so nothing points to frames that a
 * longjmp may take away. It counts when it begins: a process that dies in it
 * has made it. */

void span_forget_deep(struct lane *lane)
{
    lane->deep_ticks = 0;
    for (unsigned i = 0; i < LANE_SITE_MAX / 64; i++)
        lane->deep_sites[i] = 0;
}

static bool is_around(struct lane *lane, uint64_t site)
{
    lane_assert(site < LANE_SITE_MAX);
    for (int i = 0; i < LANE_OPEN_MAX; i++)
        if (LANE_SITE_OF(lane->open[i].site_kind) == site)
            return true;
    return false;
}

/* No activation of its site is around it: the one that counts in its total. */
static bool enter_site(struct lane *lane, uint64_t site)
{
    lane_assert(site < LANE_SITE_MAX);
    uint64_t bit = 1ULL << site % 64, *word = &lane->deep_sites[site / 64];
    if (*word & bit)
        return false;
    *word |= bit;
    return !is_around(lane, site);
}

void span_enter_deep(struct shim_call *call, struct lane *lane)
{
    lane_assert(span_is_own(lane) && call->site < SHIM_SITE_MAX);
    struct lane_counter *counter = counter_of(call->site);
    add(&counter->calls, 1);
    add(&counter->over_deep, 1);
    add(&counter->untimed, 1);
    if (lane->depth == LANE_OPEN_MAX)
        span_forget_deep(lane);
    if (enter_site(lane, call->site))
        call->flags |= SPAN_OUTERMOST;
    call->extra = 0;
    lane->depth++;
    call->flags |= SPAN_DEEP;
    call->lane = (uint64_t)lane;
    call->span = span_thread.ref_base + lane_xadd_own(&lane->counter, 1) + 1;
}

void span_start_deep(struct shim_call *call, struct lane *lane)
{
    lane_assert((call->flags & SPAN_DEEP) != 0 && span_is_own(lane));
    call->flags |= call->extra >> 32 << 32;
    call->extra = lane->deep_ticks;
    lane->deep_ticks = 0;
    call->open = span_now();
}

void span_count_deep_alone(const struct shim_call *call, bool is_failed,
                           uint64_t t1)
{
    lane_assert((call->flags & SPAN_DEEP) != 0);
    struct lane_counter *counter = counter_of(call->site);
    uint64_t ticks = t1 - call->open;
    add(&counter->untimed, (uint64_t)-1);
    add(&counter->errors, is_failed);
    add(&counter->loose, 1);
    add(&counter->total_ticks, ticks);
    add(&counter->self_ticks, ticks);
    add_time((uint32_t)call->site, ticks);
}

void span_count_deep(struct lane *lane, const struct shim_call *call,
                     const struct lane_record *record)
{
    lane_assert((call->flags & SPAN_DEEP) != 0 && record->span == call->span);
    uint32_t site = (uint32_t)call->site;
    struct lane_counter *counter = counter_of(site);
    uint64_t ticks = record->t1_ticks - record->t0_ticks;
    if (lane != (struct lane *)call->lane || !span_on_own_stack(call->sp)) {
        span_count_deep_alone(call, is_error(record), record->t1_ticks);
        return;
    }
    add(&counter->untimed, (uint64_t)-1);
    add(&counter->errors, is_error(record));
    add_time(site, ticks);
    uint64_t below = lane->deep_ticks < ticks ? lane->deep_ticks : ticks;
    add(&counter->self_ticks, ticks - below);
    lane->deep_ticks = call->extra + ticks;
    if (call->flags & SPAN_OUTERMOST) {
        add(&counter->total_ticks, ticks);
        add(&counter->cpu_unknown, 1);
        lane->deep_sites[site / 64] &= ~(1ULL << site % 64);
    }
    if (lane->depth == LANE_OPEN_MAX)
        take_from_parent(find_parent(lane, record), ticks);
}

/* ---- a record without room ---------------------------------------------- */

static bool is_worth_keeping(const struct lane_record *record)
{
    return is_error(record) || record->context_depth >> 24 == 0 ||
           record->t1_ticks - record->t0_ticks >= cpu_ticks_of_ns(long_ns);
}

/* False: what was put there before was not taken yet. */
static bool put_aside(struct lane *lane, const struct lane_record *record)
{
    lane_assert(span_is_own(lane) &&
                record->context_depth >> 24 < LANE_OPEN_MAX);
    struct lane_record *slot = &lane->kept[record->context_depth >> 24];
    uint64_t empty = 0;
    /* acquire; pairs with lane_keeper_free_kept(). Against our own signal
     * handlers, and against the sidecar, which makes it 0 */
    if (!__atomic_compare_exchange_n(&slot->commit, &empty, LANE_ITEM_PAD,
                                     false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return false;
    __builtin_memcpy(slot, record, offsetof(struct lane_record, commit));
    /* release; pairs with lane_reader_kept() */
    __atomic_store_n(
        &slot->commit,
        LANE_COMMIT(span_thread.window.index, lane->position, LANE_ITEM_RECORD),
        __ATOMIC_RELEASE);
    (void)lane_xadd_own(&lane->kept_next, 1);
    return true;
}

/* What is open now may have records below it. */
static void mark_open(struct lane *lane)
{
    lane_assert(span_is_own(lane));
    uint64_t i = span_depth(lane);
    lane->dropped_at = lane->position;
    for (; i > 0; i--)
        lane->open[i - 1].site_kind |= LANE_SITE_KEPT;
}

/* Nothing was opened in it. */
static bool is_leaf(const struct lane *lane, const struct lane_record *record)
{
    return LANE_REF_LANE(record->span) == span_thread.window.index &&
           LANE_REF_COUNTER(record->span) == lane->counter;
}

void span_write_lost(struct lane *lane, const struct lane_record *record)
{
    lane_assert(span_is_own(lane));
    bool is_new = lane->position != lane->dropped_at;
    bool is_kept = (is_new || (record->site_status & LANE_SITE_KEPT) != 0) &&
                   !is_leaf(lane, record);
    bool is_deep = (record->site_status & LANE_SITE_DEEP) != 0;
    if (is_new)
        mark_open(lane);
    if (is_deep) /* counted already */
        return;
    if ((is_kept || is_worth_keeping(record)) && put_aside(lane, record)) {
        mark_open(lane); /* so that it has all that is around it, too */
        return;
    }
    count_record(lane, record);
    if (is_kept)
        add(&counter_of(LANE_SITE_OF(record->site_status))->loose, 1);
}
