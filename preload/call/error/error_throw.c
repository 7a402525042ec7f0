/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions: where they are thrown, and the error frame of each span that one
 * passes. A throw is written at once, because nobody knows yet whether it will
 * pass a handler, and one that is caught below is counted as well.
 *
 * Runs within __cxa_throw and its kin, and within the unwinder.
 */
#include "preload/call/error/error_room.h"
#include "preload/call/error/exception.h"

#include "preload/call/capture/capture_write.h"
#include "preload/call/record/process_self.h"
#include "preload/call/memory/read.h"
#include "preload/call/record/span_internal.h"
#include "lane/format/assert.h"

struct words { /* of an exception */
    char type[EXCEPTION_TYPE_BYTES], message[EXCEPTION_MESSAGE_BYTES];
    uint16_t type_bytes, message_bytes;
    bool has_message;
};

static void read_words(struct words *words, uint64_t type, uint64_t object)
{
    words->type_bytes = words->message_bytes = 0;
    words->has_message = false;
    if (type != 0)
        words->type_bytes = (uint16_t)exception_type_name(type, words->type);
    if (type != 0 && object != 0 && !error_is_discreet)
        words->message_bytes = (uint16_t)exception_message(
            type, object, words->message, &words->has_message);
}

static void copy_words(uint8_t *to, const struct words *words)
{
    read_copy(to, words->type, words->type_bytes);
    read_copy(to + words->type_bytes, words->message, words->message_bytes);
}

/* ---- the throw --------------------------------------------------------- */

static void remember(struct error_room *room, uint64_t object,
                     uint64_t position)
{
    uint32_t at = 0;
    while (at < ERROR_THROWS && room->throws[at].object != object)
        at++;
    if (at == ERROR_THROWS)
        at = room->throw_next++ % ERROR_THROWS;
    room->throws[at].position = position;
    room->throws[at].object = object;
}

static void write_throw(struct lane *lane, const struct lane_open *open,
                        struct lane_frame_throw *thrown,
                        const struct words *words)
{
    lane_assert(span_is_own(lane));
    struct error_room *room = error_room_get(lane, true);
    struct capture_frame frame;
    uint32_t payload =
        (uint32_t)sizeof(*thrown) + words->type_bytes + words->message_bytes;
    uint32_t site = LANE_SITE_OF(open->site_kind);
    thrown->stack = error_write_stack(lane, open->span, site, LANE_STACK_THROW);
    if (!capture_frame_open(lane, payload, &frame))
        return;
    read_copy(frame.payload, thrown, sizeof(*thrown));
    copy_words(frame.payload + sizeof(*thrown), words);
    capture_frame_commit(&frame, payload, LANE_FRAME_THROW, 0, open->span,
                         site);
    if (room != NULL)
        remember(room, thrown->object, frame.position);
}

void error_note_throw(enum lane_throw_kind kind, uint64_t type, uint64_t object)
{
    struct lane *lane = error_lane();
    struct words words;
    if (lane == NULL || lane->depth == 0)
        return;
    const struct lane_open *open =
        error_open_span(lane, (uint64_t)__builtin_frame_address(0));
    if (open == NULL)
        return;
    read_words(&words, type, object);
    struct lane_frame_throw thrown = {
        .kind = (uint8_t)kind,
        .has_message = words.has_message,
        .type_bytes = words.type_bytes,
        .message_bytes = words.message_bytes,
        .object = object,
        .ticks = span_now(),
    };
    write_throw(lane, open, &thrown, &words);
}

uint32_t error_throw_origin(const struct lane *lane, uint64_t object)
{
    const struct error_room *room = error_room_get(lane, false);
    for (uint32_t i = 0; room && object && i < ERROR_THROWS; i++)
        if (room->throws[i].object == object)
            return (uint32_t)(room->throws[i].position / LANE_LINE);
    return 0;
}

/* ---- it passes a span -------------------------------------------------- */

static const char foreign[] = "foreign exception", panic[] = "panic";
enum {
    PANIC_BYTES = sizeof panic - 1
};
/* _Unwind_Exception's class, "MOZ\0RUST": as a number, and since 1.80 as bytes.
 */
static bool is_rust(uint64_t class)
{
    return class == UINT64_C(0x4d4f5a0052555354) ||
           class == UINT64_C(0x54535552005a4f4d);
}

bool span_write_exception(struct lane *lane, uint64_t span, uint32_t site,
                          uint64_t t0_ticks, const void *exception)
{
    lane_assert(span_is_own(lane));
    struct words words;
    struct capture_frame frame;
    uint64_t type = 0, object = 0;
    (void)exception_look((uint64_t)exception, &type, &object);
    read_words(&words, type, object);
    uint64_t class = 0;
    const struct reader reader = {.pid = process_self()};
    (void)read_bytes(&reader, &class, (uint64_t)exception, sizeof(class));
    if (type == 0 && is_rust(class)) {
        words.type_bytes = PANIC_BYTES;
        read_copy(words.type, panic, PANIC_BYTES);
    } else if (type == 0) {
        words.type_bytes = sizeof foreign - 1;
        read_copy(words.type, foreign, words.type_bytes);
    }
    struct lane_frame_error error = {
        .kind = LANE_ERROR_EXCEPTION,
        .type_bytes = words.type_bytes,
        .message_bytes = words.message_bytes,
        .origin = error_throw_origin(lane, object),
    };
    error_write_cause(lane, span, site, t0_ticks);
    if (error.origin == 0)
        (void)error_write_stack(lane, span, site, LANE_STACK_PASSING);
    uint32_t payload =
        (uint32_t)sizeof error + words.type_bytes + words.message_bytes;
    if (!capture_frame_open(lane, payload, &frame))
        return false;
    read_copy(frame.payload, &error, sizeof error);
    copy_words(frame.payload + sizeof error, &words);
    capture_frame_commit(&frame, payload, LANE_FRAME_ERROR, 0, span, site);
    return true;
}
