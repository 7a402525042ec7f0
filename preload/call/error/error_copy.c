/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See error_copy.h. An own stack is copied where it stands; that of a signal
 * is read through the kernel, because the fault may be that it is not there,
 * and a fault of ours would be the last.
 *
 * How much is copied is bounded for each site and for the process: a program
 * that fails a hundred thousand times a second shall not fill the session with
 * stacks. A stack whose code addresses were all seen before is referred to.
 *
 * Runs within enter and leave and in the entry of fatal signals: general
 * registers only, no libc, errno untouched.
 */
#include "shim/checker.h"
#include "preload/call/error/error_copy.h"

#include "lane/format/ids.h"
#include "lane/writer/writer.h"
#include "lane/x86_64/machine.h"
#include "preload/call/capture/capture_write.h"
#include "preload/call/error/error.h"
#include "preload/call/record/process_self.h"
#include "preload/call/memory/read.h"
#include "preload/call/record/span_internal.h"
#include "shim/shim.h"
#include "shim/x86_64/layout.h"
#include "lane/format/assert.h"

enum {
    PAGE = 4096,
    RED_ZONE = 128,
    OVERFLOW_BYTES = 64 * 1024, /* so near below rsp a fault is one of it */
    SKIP_PAGES = 64, /* of a stack that overflowed, before it is readable */
    RANGES = 512,
    SEEN = 1024,
    SEEN_PROBES = 8,
    /* in one window, about a second */
    WINDOW_SHIFT = 31,
    SITE_COPIES = 32,
    SITE_FRAMES = 512,
    PROCESS_COPIES = 256,
    PROCESS_LOCALS = 16, /* stacks for whose values a copy is worth it */
    RSP = 7,
    RIP = 16,
    KEPT = 1 << 3 | 1 << 6 | 1 << 7 | 0xf << 12 | 1 << RIP,
};

/* error_frames.h tells them to readers outside */
_Static_assert((int)SHIM_FRAME_STRIDE == LANE_KEPT_STRIDE, "trampoline.S");
_Static_assert((int)SHIM_COPY_STRIDE == LANE_KEPT_COPY, "trampoline.S");
_Static_assert(SHIM_COPY_MARK == LANE_KEPT_MARKED, "trampoline.S");
_Static_assert(ENTRY_RBP == LANE_KEPT_RBP, "entry.h");
_Static_assert(ENTRY_RA == LANE_KEPT_RETURN, "entry.h");
_Static_assert(offsetof(struct shim_call, sp) == LANE_KEPT_SP, "shim.h");
_Static_assert(offsetof(struct shim_call, span) == LANE_KEPT_SPAN, "shim.h");

/* ---- which words are code ---------------------------------------------- */

static struct range {
    uint64_t low, high;
} ranges[RANGES]; /* sorted; a reader that meets a change hashes otherwise */
static uint32_t range_count;

void error_add_code(uint64_t low, uint64_t high)
{
    lane_assert(low <= high);
    uint32_t at = range_count;
    if (low >= high || range_count == RANGES)
        return;
    while (at > 0 && ranges[at - 1].low > low) {
        ranges[at] = ranges[at - 1];
        at--;
    }
    ranges[at] = (struct range){low, high};
    /* release; pairs with scrub() */
    __atomic_store_n(&range_count, range_count + 1, __ATOMIC_RELEASE);
}

static bool is_code(uint64_t word, uint32_t count)
{
    lane_assert(count != 0 && count <= RANGES);
    uint32_t low = 0, high = count;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (ranges[mid].low <= word)
            low = mid;
        else
            high = mid;
    }
    return word >= ranges[low].low && word < ranges[low].high;
}

static uint64_t hash_code(const struct error_copy *copy)
{
    lane_assert(copy->head.stack_bytes % 8 == 0);
    /* acquire; pairs with the release of a new range */
    uint32_t count = __atomic_load_n(&range_count, __ATOMIC_ACQUIRE);
    uint64_t hash = lane_mix64(copy->head.registers[RIP] + copy->head.reason);
    uint32_t words = copy->head.stack_bytes / 8;
    if (count == 0)
        return hash | 1;
    uint64_t least = ranges[0].low, most = ranges[count - 1].high - least;
    for (uint32_t i = 0; i < words; i++) {
        uint64_t word = copy->bytes[i];
        if (word - least < most && is_code(word, count))
            hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
    }
    return lane_mix64(hash) | 1;
}

/* ---- taking ------------------------------------------------------------ */

/* The word of the copied stack at `address`; false: it was not copied. */
static bool word_at(const struct error_copy *copy, uint64_t address,
                    uint64_t *word)
{
    uint64_t offset = address - copy->head.first_address;
    if (offset % 8 != 0 || offset >= copy->head.stack_bytes)
        return false;
    *word = copy->bytes[offset / 8];
    return true;
}

/* trampoline.S: the handler's return address stands 256 or 384 bytes below
 * that of the caller, whose rbp is right below it. */
static bool take_frame_call(const struct error_copy *copy, uint64_t a,
                            uint64_t open, struct lane_stack_call *call)
{
    uint64_t word;
    call->slot = a - SHIM_FRAME_STRIDE;
    call->sp = a + 8;
    if (!word_at(copy, call->slot, &word) || !shim_is_return_address(word))
        call->slot = a - SHIM_COPY_STRIDE;
    return word_at(copy, call->slot, &word) && shim_is_return_address(word) &&
           word_at(copy, a - LANE_KEPT_BELOW + offsetof(struct shim_call, open),
                   &word) &&
           word == open && word_at(copy, a - 8, &call->rbp) &&
           word_at(copy, a, &call->ip);
}

/* The return address and rbp wait in an entry. */
static bool take_zero_call(const struct error_copy *copy, uint64_t a,
                           uint64_t open, struct lane_stack_call *call)
{
    uint64_t word;
    call->slot = a;
    call->sp = a + 8;
    return word_at(copy, a, &word) && shim_is_return_address(word) &&
           shim_entry_find(a, open, &call->ip, &call->rbp);
}

/* A tail call that has a frame of its own returns into our trampoline, which
 * returns to where the call below it does. */
static void resolve_calls(struct error_copy *copy)
{
    lane_assert(copy->head.call_count <= LANE_STACK_CALLS_MAX);
    for (uint32_t i = copy->head.call_count; i-- > 0;) {
        struct lane_stack_call *call = &copy->calls[i];
        for (uint32_t j = i + 1;
             shim_is_return_address(call->ip) && j < copy->head.call_count;
             j++) {
            const struct lane_stack_call *outer = &copy->calls[j];
            if (outer->slot != call->sp - 8)
                continue;
            call->ip = outer->ip;
            call->sp = outer->sp;
            call->rbp = outer->rbp;
        }
    }
}

static void take_calls(struct error_copy *copy, const struct lane *lane)
{
    uint64_t depth = span_depth(lane);
    copy->head.call_count = 0;
    while (depth-- > 0 && copy->head.call_count < LANE_STACK_CALLS_MAX) {
        const struct lane_open *open = &lane->open[depth];
        uint32_t site = LANE_SITE_OF(open->site_kind);
        struct lane_stack_call *call = &copy->calls[copy->head.call_count];
        if (span_state(open) != LANE_OPEN_CALL ||
            site >= runtime.map.table[LANE_TABLE_SITES].capacity)
            continue;
        *call = (struct lane_stack_call){.span = open->span, .site = site};
        if (runtime.map.sites[site].shim == LANE_SHIM_FRAME
                ? take_frame_call(copy, open->sp, (uint64_t)open, call)
                : take_zero_call(copy, open->sp, (uint64_t)open, call))
            copy->head.call_count++;
    }
    resolve_calls(copy);
}

/*
 * Where the kernel may not be asked (a seccomp filter): the thread's own stack
 * from its stack pointer up is there, unless that is what the fault is about.
 */
static size_t read_without_kernel(struct error_copy *copy, uint64_t from,
                                  uint32_t len)
{
    lane_assert(read_is_forbidden());
    bool is_own = from >= span_thread.stack_low &&
                  from < span_thread.stack_high &&
                  span_thread.stack_high - from >= len;
    bool is_at_fault = copy->head.fault_address - (from - OVERFLOW_BYTES) <
                       OVERFLOW_BYTES + (uint64_t)len;
    if (!is_own || is_at_fault)
        return 0;
    read_copy(copy->bytes, (const void *)from, len);
    return len;
}

/* Through the kernel, from the first page on that is there. */
static void read_foreign(struct error_copy *copy, uint64_t from, uint32_t len)
{
    uint64_t most = from + (uint64_t)SKIP_PAGES * PAGE;
    size_t got = 0;
    if (read_is_forbidden()) {
        got = read_without_kernel(copy, from, len);
        most = from;
    }
    while (from < most) {
        got = read_by_kernel(process_self(), copy->bytes, from, len);
        if (got)
            break;
        from = (from | (PAGE - 1)) + 1;
        copy->head.flags |= LANE_STACK_UNREADABLE;
    }
    copy->head.first_address = from;
    copy->head.stack_bytes = (uint32_t)got & ~7u;
}

static void read_own(struct error_copy *copy, uint64_t from, uint32_t len)
{
    struct reader reader;
    reader_start(&reader, process_self(), span_thread.stack_low,
                 span_thread.stack_high);
    /* the reader's own stack begins at its caller's frame, this one */
    if (reader.stack_low != 0)
        reader.stack_low = from;
    copy->head.first_address = from;
    copy->head.stack_bytes =
        (uint32_t)read_bytes(&reader, copy->bytes, from, len) & ~7u;
}

/* How much of a stack there is above `from`, as far as is known. */
static uint32_t stack_room(uint64_t from, struct error_copy *copy,
                           uint32_t limit)
{
    bool is_known =
        from >= span_thread.stack_low && from < span_thread.stack_high;
    if (is_known && span_thread.stack_high - from <= limit)
        return (uint32_t)(span_thread.stack_high - from) & ~7u;
    copy->head.flags |= LANE_STACK_TRUNCATED;
    return limit;
}

/* ---- secrets ------------------------------------------------------------ */

/* What the unwinder needs of a word: code, and places on this stack. */
static uint64_t only_address(const struct error_copy *copy, uint64_t word,
                             uint32_t count)
{
    uint64_t first = copy->head.first_address;
    bool is_place =
        word - first <= copy->head.stack_bytes ||
        (word >= span_thread.stack_low && word < span_thread.stack_high);
    return is_place || (count != 0 && is_code(word, count)) ? word : 0;
}

/* A secret may be anywhere on the stack, and a session lies in a file: what is
 * no address does not get there. */
static void scrub(struct error_copy *copy)
{
    lane_assert(error_is_discreet && copy->head.stack_bytes % 8 == 0);
    /* acquire; pairs with error_add_code() */
    uint32_t count = __atomic_load_n(&range_count, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < copy->head.stack_bytes / 8; i++)
        copy->bytes[i] = only_address(copy, copy->bytes[i], count);
    for (uint32_t i = 0; i < copy->head.call_count; i++)
        copy->calls[i].rbp = only_address(copy, copy->calls[i].rbp, count);
    for (uint32_t i = 0; i < LANE_STACK_REGISTERS; i++)
        if (i != RSP && i != RIP)
            copy->head.registers[i] =
                only_address(copy, copy->head.registers[i], count);
}

static void set_head(struct lane_frame_stack *head,
                     const struct error_wish *wish, const struct lane *lane)
{
    *head = (struct lane_frame_stack){
        .reason = (uint8_t)wish->reason,
        .ticks = span_now(),
        .fault_address = wish->fault_address,
        .signal = wish->signal,
        .signal_code = wish->signal_code,
        .known = wish->registers ? (1 << LANE_STACK_REGISTERS) - 1 : KEPT,
        .tid = lane->tid,
    };
}

void error_copy_take(struct error_copy *copy, struct lane *lane,
                     const struct error_wish *wish)
{
    lane_assert(span_is_own(lane));
    struct lane_frame_stack *head = &copy->head;
    set_head(head, wish, lane);
    if (wish->registers)
        for (uint32_t i = 0; i < LANE_STACK_REGISTERS; i++)
            head->registers[i] = i == RIP && error_place
                                     ? error_place(wish->registers[i])
                                     : wish->registers[i];
    else
        error_registers(head->registers);
    uint64_t from = head->registers[RSP] - (wish->registers ? RED_ZONE : 0);
    from &= ~(uint64_t)7;
    uint32_t len = stack_room(from, copy, wish->limit_bytes);
    if (wish->registers || checker_judges())
        read_foreign(copy, from, len);
    else
        read_own(copy, from, len);
    /* a stack of unknown bounds ended in what is not there */
    if (head->stack_bytes < (len & ~7u) && head->stack_bytes != 0)
        head->flags &= (uint8_t)~LANE_STACK_TRUNCATED;
    if (head->stack_bytes == 0)
        head->flags |= LANE_STACK_UNREADABLE;
    /* what the stack held before, and registers that nobody set */
    checker_is_written(head->registers, sizeof(head->registers));
    checker_is_written(copy->bytes, head->stack_bytes);
    take_calls(copy, lane);
    lane_assert(head->stack_bytes <= len &&
                head->call_count <= LANE_STACK_CALLS_MAX);
    checker_is_written(copy->calls, head->call_count * sizeof(*copy->calls));
    if (error_is_discreet)
        scrub(copy);
}

/* ---- writing ----------------------------------------------------------- */

/* Two counters of one window, number of the window in the upper half. */
struct limit {
    uint64_t copies, frames;
};
static struct limit site_limits[SHIM_SITE_MAX], process_limit;
static uint64_t locals_limit;
static uint64_t seen[SEEN]; /* hashes; 0: free */

bool error_may_pass(uint64_t *word, uint64_t ticks, uint32_t most)
{
    uint64_t value = __atomic_load_n(word, __ATOMIC_RELAXED);
    uint64_t window = ticks >> WINDOW_SHIFT;
    if (value >> 32 != (window & 0xffffffff))
        value = window << 32;
    if ((uint32_t)value >= most)
        return false;
    __atomic_store_n(word, value + 1, __ATOMIC_RELAXED);
    return true;
}

/* Where this hash stands, else where it may: two stacks that take turns keep
 * both their places. */
static uint64_t *find_mark(uint64_t hash)
{
    lane_assert(hash != 0);
    for (uint32_t i = 0; i < SEEN_PROBES; i++) {
        uint64_t *mark = &seen[((hash >> 1) + i) % SEEN]; /* it is odd */
        uint64_t stands = __atomic_load_n(mark, __ATOMIC_RELAXED);
        if (stands == hash || stands == 0)
            return mark;
    }
    return &seen[(hash >> 1) % SEEN];
}

static void write_frame(struct error_copy *copy, uint64_t span, uint32_t site,
                        const struct capture_frame *frame)
{
    lane_assert(copy->head.call_count <= LANE_STACK_CALLS_MAX);
    struct lane_frame_stack *head = &copy->head;
    uint32_t calls = head->call_count * (uint32_t)sizeof(*copy->calls);
    read_copy(frame->payload, head, sizeof(*head));
    read_copy(frame->payload + sizeof(*head), copy->calls, calls);
    read_copy(frame->payload + sizeof(*head) + calls, copy->bytes,
              head->stack_bytes);
    capture_frame_commit(frame,
                         (uint32_t)sizeof(*head) + calls + head->stack_bytes,
                         LANE_FRAME_STACK, 0, span, site);
}

static bool has_locals(uint32_t site)
{
    const struct manifest_decl *decl =
        site < SHIM_SITE_MAX ? runtime.sites[site].decl : NULL;
    return decl && decl->settings.locals;
}

/* Does a handler on it ask for values? Where there are secrets nobody does. */
static bool wants_locals(const struct error_copy *copy, uint32_t site)
{
    bool wants = has_locals(site);
    for (uint32_t i = 0; !wants && i < copy->head.call_count; i++)
        wants = has_locals(copy->calls[i].site);
    return wants && !error_is_discreet;
}

/* The same code has other values the next time: such a stack is no other. */
static void set_hash(struct error_copy *copy, uint32_t site)
{
    lane_assert(copy->head.hash == 0);
    struct lane_frame_stack *head = &copy->head;
    head->hash = hash_code(copy);
    if (!wants_locals(copy, site) ||
        !error_may_pass(&locals_limit, head->ticks, PROCESS_LOCALS))
        return;
    head->flags |= LANE_STACK_LOCALS;
    head->hash = lane_mix64(head->hash + head->ticks + head->tid) | 1;
}

uint64_t error_copy_write(struct lane *lane, struct error_copy *copy,
                          uint64_t span, uint32_t site)
{
    lane_assert(span_is_own(lane) && site < SHIM_SITE_MAX);
    struct lane_frame_stack *head = &copy->head;
    struct capture_frame frame;
    struct limit *limit = &site_limits[site % SHIM_SITE_MAX];
    if (!error_may_pass(&limit->frames, head->ticks, SITE_FRAMES))
        return 0;
    if (head->hash == 0)
        set_hash(copy, site);
    lane_assert(head->hash != 0);
    uint64_t *mark = find_mark(head->hash);
    uint32_t bytes = head->stack_bytes;
    if (__atomic_load_n(mark, __ATOMIC_RELAXED) == head->hash) {
        head->flags |= LANE_STACK_SAME;
        head->stack_bytes = 0;
    } else if (!error_may_pass(&limit->copies, head->ticks, SITE_COPIES) ||
               !error_may_pass(&process_limit.copies, head->ticks,
                               PROCESS_COPIES)) {
        return 0;
    }
    uint32_t calls = head->call_count * (uint32_t)sizeof(*copy->calls);
    bool has_room = capture_frame_open(
        lane, (uint32_t)sizeof(*head) + calls + head->stack_bytes, &frame);
    if (has_room) {
        write_frame(copy, span, site, &frame);
        __atomic_store_n(mark, head->hash, __ATOMIC_RELAXED);
    }
    /* a breadcrumb may be written again, for the span around */
    head->flags &= (uint8_t)~LANE_STACK_SAME;
    head->stack_bytes = bytes;
    return has_room ? head->hash : 0;
}
