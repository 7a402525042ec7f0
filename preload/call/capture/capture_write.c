/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See capture_write.h. On the path of a call, on the application's stack: no
 * libc, no vector register, about 900 bytes of stack, no fault. The program
 * may change its memory while we read it: what was measured bounds what is
 * copied, so a frame never outgrows its reservation.
 */
#include "preload/call/capture/capture_write.h"
#include "preload/call/capture/capture_words.h"
#include "preload/call/record/span_internal.h"
#include "lane/format/assert.h"

enum {
    SCRATCH = 160,
    SCAN = 256,
    ROOM_TRIES = 8,
};

/* A text or a range of bytes, measured. */
struct range {
    uint64_t at, true_bytes;
    uint16_t scratch_at; /* + 1; 0: not kept in the scratch */
    uint8_t flags;       /* enum lane_value_flags */
};
struct measure {
    struct range ranges[CAPTURE_RANGE_MAX];
    uint32_t range_count;
    uint32_t fixed_bytes;          /* of what is no range */
    uint64_t limit;                /* of each range */
    uint64_t wanted_bytes;         /* of all ranges */
    uint32_t scratch_used;         /* a multiple of 8 */
    uint64_t scratch[SCRATCH / 8]; /* short texts, read once */
};
struct output {
    uint8_t *at, *end;
    uint32_t count;
};

/* ---- frames ----------------------------------------------------------- */

bool capture_frame_open(struct lane *lane, uint32_t payload_bytes,
                        struct capture_frame *frame)
{
    lane_assert(span_is_own(lane) &&
                payload_bytes <= LANE_FRAME_MAX - LANE_LINE);
    struct lane_frame *line;
    bool is_inline = payload_bytes <= sizeof(line->inline_bytes);
    const struct lane_window *window = &span_thread.window;
    uint64_t len = LANE_LINE;
    if (!is_inline)
        len += (payload_bytes + LANE_LINE - 1) & ~(uint64_t)(LANE_LINE - 1);
    uint64_t at = lane_reserve(&runtime.map, lane, window, len);
    /* what is made may be taken by a signal handler that comes in between */
    for (int i = 0; at == 0 && i < ROOM_TRIES; i++) {
        if (!span_make_room(lane))
            return false;
        at = lane_reserve(&runtime.map, lane, window, len);
    }
    frame->position = at;
    frame->line = at ? lane_at(&runtime.map, lane, window, at) : NULL;
    if (!frame->line)
        return false;
    line = (struct lane_frame *)(void *)frame->line;
    zero_words(line->inline_bytes,
               line->inline_bytes + sizeof(line->inline_bytes));
    frame->payload = is_inline ? line->inline_bytes : frame->line + LANE_LINE;
    if (!is_inline)
        zero_words(frame->payload + round8(payload_bytes), frame->line + len);
    return true;
}

void capture_frame_commit(const struct capture_frame *frame,
                          uint32_t payload_bytes, enum lane_frame_kind kind,
                          uint32_t count, uint64_t span, uint32_t site)
{
    lane_assert(frame->line != NULL && frame->position != 0);
    lane_assert(payload_bytes <= LANE_FRAME_MAX - LANE_LINE);
    lane_assert(kind != 0 && kind <= LANE_FRAME_ATTRIBUTE);
    struct lane_frame *line = (struct lane_frame *)(void *)frame->line;
    line->payload_bytes = payload_bytes;
    line->kind = (uint8_t)kind;
    line->flags = (uint8_t)(count >> 16);
    line->count = (uint16_t)count;
    line->span = span;
    line->site = site;
    line->pad0 = 0;
    lane_commit(&span_thread.window, frame->line, frame->position,
                LANE_ITEM_FRAME);
}

/* ---- measuring -------------------------------------------------------- */

/* Eight bytes at a time: the lowest marked byte of `marks` is exact. */
static size_t find_nul(const uint8_t *bytes, size_t n)
{
    const uint64_t ones = 0x0101010101010101, highs = ones << 7;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t word;
        __builtin_memcpy(&word, bytes + i, sizeof(word));
        uint64_t marks = (word - ones) & ~word & highs;
        if (marks)
            return i + (size_t)__builtin_ctzll(marks) / 8;
    }
    for (; i < n; i++)
        if (bytes[i] == 0)
            return i;
    return n;
}

/* Go on looking for the NUL of a text that is longer than the scratch. Not
 * inlined: its buffer is wanted for long texts only. */
__attribute__((noinline)) static void
scan_text(const struct capture_call *call, struct range *range, uint64_t bound)
{
    uint8_t chunk[SCAN];
    while (range->true_bytes < bound) {
        uint64_t left = bound - range->true_bytes;
        size_t n = left < sizeof(chunk) ? (size_t)left : sizeof(chunk);
        size_t got =
            read_bytes(&call->reader, chunk, range->at + range->true_bytes, n);
        size_t len = find_nul(chunk, got);
        range->true_bytes += len;
        if (len < got)
            return;
        if (got < n) {
            range->flags |= LANE_VALUE_UNREADABLE;
            return;
        }
    }
    if (bound == CAPTURE_SCAN_MAX)
        range->flags |= LANE_VALUE_AT_LEAST;
}

static void measure_text(const struct capture_call *call,
                         struct measure *measure, struct range *range,
                         uint64_t bound)
{
    uint32_t room = SCRATCH - measure->scratch_used;
    uint8_t *kept = (uint8_t *)measure->scratch + measure->scratch_used;
    if (bound == 0 || bound > CAPTURE_SCAN_MAX)
        bound = CAPTURE_SCAN_MAX;
    size_t n = bound < room ? (size_t)bound : room;
    struct read_part part = read_text(&call->reader, kept, range->at, n);
    range->true_bytes = part.len;
    if (n && (part.end != READ_FULL || part.len == bound)) {
        /* its end is in the scratch: these bytes are what is stored */
        if (part.end == READ_FAULTED)
            range->flags |= LANE_VALUE_UNREADABLE;
        range->scratch_at = (uint16_t)(measure->scratch_used + 1);
        measure->scratch_used += (uint32_t)round8(part.len);
        return;
    }
    scan_text(call, range, bound);
}

static void measure_range(const struct capture_call *call,
                          const struct capture_value *value,
                          struct measure *measure)
{
    lane_assert(is_range(value) && measure->range_count <= CAPTURE_RANGE_MAX);
    struct manifest_value result;
    if (measure->range_count == CAPTURE_RANGE_MAX) {
        measure->fixed_bytes += VALUE_HEAD + 8;
        return;
    }
    struct range *range = &measure->ranges[measure->range_count++];
    range->at = range->true_bytes = 0;
    range->scratch_at = 0;
    range->flags = 0;
    if (value->source != CAPTURE_EVALUATE) { /* a text parameter, or rax */
        result.bits = take_register(value, call->env.ireg, call->env.rax);
        result.is_null = result.bits == 0;
        result.len_bytes = 0;
    } else if (manifest_eval(value->expr, &call->env, &result) != 0) {
        range->flags = LANE_VALUE_UNREADABLE;
        return;
    }
    range->at = result.bits;
    if (result.is_null)
        range->flags = LANE_VALUE_NULL;
    else if (value->type == LANE_VALUE_TEXT)
        measure_text(call, measure, range, result.len_bytes);
    else
        range->true_bytes = result.len_bytes;
    measure->wanted_bytes += range->true_bytes;
}

/*
 * The largest limit under which all ranges together fit the budget: a range
 * that wants less than its share leaves the rest to the others.
 */
static uint64_t share(const struct measure *measure, uint64_t budget)
{
    lane_assert(measure->range_count <= CAPTURE_RANGE_MAX);
    uint64_t settled = 0, limit = 0;
    if (measure->wanted_bytes <= budget)
        return UINT64_MAX;
    for (uint32_t round = 0; round <= measure->range_count; round++) {
        uint64_t used = 0, before = settled;
        uint32_t larger = 0;
        settled = 0;
        for (uint32_t i = 0; i < measure->range_count; i++) {
            uint64_t wanted = measure->ranges[i].true_bytes;
            if (wanted <= limit) {
                used += wanted;
                settled++;
            } else {
                larger++;
            }
        }
        if (larger == 0)
            return UINT64_MAX;
        if (round && settled == before)
            break;
        limit = (budget - used) / larger;
    }
    return limit;
}

static uint64_t range_size(const struct measure *measure,
                           const struct range *range)
{
    bool cut = range->true_bytes > measure->limit;
    return VALUE_HEAD + (cut ? 8u : 0u) +
           round8(cut ? measure->limit : range->true_bytes);
}

static uint32_t measure_list(const struct capture_list *list,
                             const struct capture_call *call, bool failed,
                             struct measure *measure)
{
    uint64_t most = LANE_FRAME_MAX - LANE_LINE;
    measure->range_count = measure->fixed_bytes = measure->scratch_used = 0;
    measure->wanted_bytes = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct capture_value *value = &list->values[i];
        if (failed && value->needs_success)
            continue;
        if (is_range(value))
            measure_range(call, value, measure);
        else
            measure->fixed_bytes += scalar_size(value);
    }
    /* Heads, true lengths and padding of ranges also need room. */
    uint64_t used = measure->fixed_bytes + measure->range_count * 24u;
    uint64_t budget = used < most ? most - used : 0;
    if (budget > list->cap_bytes)
        budget = list->cap_bytes;
    measure->limit = share(measure, budget);
    uint64_t payload = measure->fixed_bytes;
    for (uint32_t i = 0; i < measure->range_count; i++)
        payload += range_size(measure, &measure->ranges[i]);
    return (uint32_t)payload;
}

/* ---- copying ---------------------------------------------------------- */

/* Bytes of a range from `offset` on; what could not be read is left out. */
static uint64_t copy_part(const struct capture_call *call,
                          const struct measure *measure,
                          const struct range *range, uint64_t offset,
                          uint64_t len, uint8_t *dst)
{
    lane_assert(offset + len <= range->true_bytes);
    if (range->scratch_at) {
        const uint8_t *kept = (const uint8_t *)measure->scratch;
        return read_guarded_copy(dst, kept + range->scratch_at - 1 + offset,
                                 len);
    }
    return read_bytes(&call->reader, dst, range->at + offset, len);
}

static void put_range(const struct capture_call *call,
                      const struct measure *measure, const struct range *range,
                      const struct capture_value *value, struct output *out)
{
    lane_assert(is_range(value));
    uint64_t wanted = range->true_bytes, flags = range->flags;
    bool cut = wanted > measure->limit;
    uint64_t len = cut ? measure->limit : wanted;
    uint64_t head = cut ? len / 4 * 3 + len % 4 * 3 / 4 : len;
    uint8_t *bytes = out->at + VALUE_HEAD + (cut ? 8 : 0);
    uint64_t got = copy_part(call, measure, range, 0, head, bytes);
    if (cut && got == head)
        got += copy_part(call, measure, range, wanted - (len - head),
                         len - head, bytes + head);
    if (got < len) {
        flags |= LANE_VALUE_UNREADABLE;
        len = got < head ? got : head;
        /* Without its tail it is no longer head and tail of something, but a
         * beginning. */
        if (cut)
            read_copy(out->at + VALUE_HEAD, bytes, len);
        bytes = out->at + VALUE_HEAD;
        cut = false;
    }
    if (cut) {
        /* a text that ran into memory that is not there */
        if (flags & LANE_VALUE_UNREADABLE)
            flags |= LANE_VALUE_AT_LEAST;
        flags |= LANE_VALUE_TRUNCATED;
        put_word(out->at + VALUE_HEAD, wanted);
    }
    put_head(out->at, value, (uint32_t)flags, len);
    zero_tail(bytes, len);
    out->at = bytes + round8(len);
    out->count++;
}

static void put_scalar(const struct capture_call *call,
                       const struct capture_value *value, struct output *out)
{
    lane_assert(!is_range(value));
    struct manifest_value result;
    uint32_t len = value->type == LANE_VALUE_F80   ? 16
                   : value->type == LANE_VALUE_F32 ? 4
                                                   : 8;
    if (value->source != CAPTURE_EVALUATE) {
        result.bits = take_register(value, call->env.ireg, call->env.rax);
    } else if (manifest_eval(value->expr, &call->env, &result) != 0) {
        put_head(out->at, value, LANE_VALUE_UNREADABLE, 0);
        out->at += VALUE_HEAD;
        out->count++;
        return;
    }
    put_head(out->at, value, 0, len);
    put_word(out->at + VALUE_HEAD,
             len == 4 ? (uint32_t)result.bits : result.bits);
    if (len == 16)
        put_word(out->at + VALUE_HEAD + 8, result.bits_high);
    out->at += VALUE_HEAD + round8(len);
    out->count++;
}

/* More ranges than a frame measures: their number is known, nothing else. */
static void put_overflow(const struct capture_value *value, struct output *out)
{
    put_head(out->at, value, LANE_VALUE_TRUNCATED | LANE_VALUE_AT_LEAST, 0);
    put_word(out->at + VALUE_HEAD, 0);
    out->at += VALUE_HEAD + 8;
    out->count++;
}

static void put_list(const struct capture_list *list,
                     const struct capture_call *call, bool failed,
                     const struct measure *measure, struct output *out)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct capture_value *value = &list->values[i];
        if (failed && value->needs_success)
            continue;
        if (!is_range(value))
            put_scalar(call, value, out);
        else if (next < measure->range_count)
            put_range(call, measure, &measure->ranges[next++], value, out);
        else
            put_overflow(value, out);
    }
}

uint64_t capture_write(const struct capture_list *list,
                       const struct capture_call *call, bool failed,
                       enum lane_frame_kind kind, struct lane *lane,
                       uint64_t span, uint32_t site)
{
    struct measure measure;
    struct capture_frame frame;
    uint32_t payload = measure_list(list, call, failed, &measure);
    if (payload == 0)
        return 0;
    if (!capture_frame_open(lane, payload, &frame))
        return UINT64_MAX;
    struct output out = {.at = frame.payload, .end = frame.payload + payload};
    put_list(list, call, failed, &measure, &out);
    lane_assert(out.at <= out.end && out.count <= list->count);
    zero_words(out.at, out.end); /* values that became shorter */
    capture_frame_commit(&frame, payload, kind, out.count, span, site);
    return frame.position;
}
