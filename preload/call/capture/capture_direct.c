/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The usual values: what registers hold, and short texts that they point to, in
 * memory that is known to be there. One pass over the list into words on the
 * stack, whose number is then known; one reservation; one copy. Whatever is
 * else is left to capture_write().
 *
 * On the path of a call: general registers only, no libc, no fault, some 400
 * bytes of stack.
 */
#include "preload/call/capture/capture_words.h"
#include "preload/call/capture/capture_write.h"
#include "preload/call/record/span_internal.h"
#include "lane/format/assert.h"

enum {
    WORDS = CAPTURE_SHORT_BYTES / 8, /* a multiple of LINE_WORDS */
    LINE_WORDS = LANE_LINE / 8,
    INLINE_AT = offsetof(struct lane_frame, inline_bytes) / 8,
    INLINE_WORDS = sizeof(((struct lane_frame *)0)->inline_bytes) / 8,
    COMMIT_AT = offsetof(struct lane_frame, commit) / 8,
};
_Static_assert(INLINE_AT + INLINE_WORDS == COMMIT_AT &&
                   COMMIT_AT == LINE_WORDS - 1,
               "a frame's first line");

/* A text and its head, at `to`; what follows them, NULL: it is not short, or
 * nobody knows whether it is there. */
static inline uint64_t *put_text(uint64_t *to, uint64_t head, uint64_t at,
                                 const uint64_t *end)
{
    lane_assert(to < end);
    if (UNLIKELY(at == 0)) {
        *to = head | (uint64_t)LANE_VALUE_NULL << 16;
        return to + 1;
    }
    size_t len =
        read_known_text(span_thread.stack_low, span_thread.stack_high, to + 1,
                        at, (size_t)((const uint8_t *)end - (uint8_t *)to) - 8);
    if (UNLIKELY(len == SIZE_MAX))
        return NULL;
    *to = head | len << 32;
    to += 1 + len / 8;
    if (len % 8 == 0)
        return to;
    *to &= ((uint64_t)1 << len % 8 * 8) - 1; /* what stood behind it */
    return to + 1;
}

/* The words of all values, at `to`; their end, NULL: not all are short. */
static inline uint64_t *put_values(const struct capture_list *list,
                                   const struct shim_call *call, uint64_t rax,
                                   uint64_t *to)
{
    const struct capture_value *value = list->values;
    const struct capture_value *last = value + list->count;
    const uint64_t *end = to + WORDS;
    do {
        if (UNLIKELY(to + 2 > end))
            return NULL;
        uint64_t word = take_register(value, &call->args.rdi, rax);
        if (value->type != LANE_VALUE_TEXT) {
            to[0] = value->head | (uint64_t)8 << 32;
            to[1] = word;
            to += 2;
        } else if ((to = put_text(to, value->head, word, end)) == NULL) {
            return NULL;
        }
    } while (++value < last);
    return to;
}

/* Room for a frame with so much payload; NULL: none. */
static inline uint64_t *open_frame(struct lane *lane, uint64_t words,
                                   uint64_t *position)
{
    lane_assert(span_is_own(lane) && words != 0 && words <= WORDS);
    struct capture_frame frame;
    const struct lane_window *window = &span_thread.window;
    uint64_t len = LANE_LINE;
    if (words > INLINE_WORDS)
        len += (words + LINE_WORDS - 1) / LINE_WORDS * LANE_LINE;
    uint64_t at = lane->position;
    uint64_t left = LANE_SEGMENT - (at & (LANE_SEGMENT - 1));
    if (UNLIKELY(at + len > lane->limit || len > left ||
                 !lane_cmpxchg_own(&lane->position, &at, at + len))) {
        bool has_room = capture_frame_open(lane, (uint32_t)words * 8, &frame);
        *position = frame.position;
        return has_room ? (uint64_t *)(void *)frame.line : NULL;
    }
    *position = at;
    return (uint64_t *)(void *)lane_at(&runtime.map, lane, window, at);
}

/* Four at a time; both are that long. volatile: no call of libc's. */
static inline void copy_fours(volatile uint64_t *to, const uint64_t *from,
                              const uint64_t *end)
{
    do {
        to[0] = from[0];
        to[1] = from[1];
        to[2] = from[2];
        to[3] = from[3];
        to += 4;
        from += 4;
    } while (from < end);
}

static inline uint64_t *zero_until(uint64_t *to, uint64_t multiple,
                                   const uint64_t *from)
{
    while ((uint64_t)(to - from) & (multiple - 1))
        *(volatile uint64_t *)to++ = 0;
    return to;
}

uint64_t capture_write_direct(const struct capture_list *list,
                              const struct shim_call *call, uint64_t rax,
                              struct lane *lane, enum lane_frame_kind kind,
                              uint64_t span)
{
    lane_assert(list->is_direct && list->count != 0);
    uint64_t built[WORDS], position;
    uint64_t *end = put_values(list, call, rax, built);
    if (UNLIKELY(end == NULL))
        return 0;
    uint64_t words = (uint64_t)(end - built);
    uint64_t *line = open_frame(lane, words, &position);
    if (UNLIKELY(line == NULL))
        return UINT64_MAX;
    uint64_t *to = line + INLINE_AT;
    if (words > INLINE_WORDS) {
        for (uint64_t i = 0; i < INLINE_WORDS; i++)
            ((volatile uint64_t *)to)[i] = 0;
        to = line + LINE_WORDS;
        end = zero_until(end, LINE_WORDS, built);
    }
    copy_fours(to, built, zero_until(end, INLINE_WORDS, built));
    _Static_assert(offsetof(struct lane_frame, kind) == 4 &&
                       offsetof(struct lane_frame, count) == 6 &&
                       offsetof(struct lane_frame, span) == 8 &&
                       offsetof(struct lane_frame, site) == 16,
                   "three words");
    line[0] = words * 8 | (uint64_t)kind << 32 | (uint64_t)list->count << 48;
    line[1] = span;
    line[2] = call->site;
    lane_commit(&span_thread.window, (uint8_t *)line, position,
                LANE_ITEM_FRAME);
    return position;
}
