/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first cause: while a span is open, the first call of the shipped list
 * that fails in it is kept with its arguments, errno and stack, and what the
 * thread last wrote to stderr. Most spans do not fail, so all of it waits in
 * private memory; the leave of one that does writes it out.
 *
 * A call that does not fail costs its hook and one comparison. A span that has
 * its crumb already pays one comparison more for each further failure.
 */
#include "preload/error_room.h"

#include "preload/capture_write.h"
#include "preload/process.h"
#include "preload/read.h"
#include "preload/span_internal.h"

#include <errno.h>

/* ---- noting ------------------------------------------------------------ */

/* Not failures but answers: come back later. */
static bool is_answer(int error)
{
    return error == EINTR || error == EAGAIN || error == EINPROGRESS ||
           error == EALREADY;
}

static struct reader start_reader(void)
{
    struct reader reader;
    reader_start(&reader, runtime.pid, span_thread.stack_low,
                 span_thread.stack_high);
    return reader;
}

/* The text of a call: its first argument that is one, or what it returned. */
static bool find_text(const struct error_crumb *crumb, uint64_t *from)
{
    const char *format = crumb->what->format;
    if (crumb->what->result == ERROR_TEXT) {
        *from = crumb->cause.result;
        return true;
    }
    for (uint32_t at = 0; at < 6 && format[at] != '\0'; at++) {
        *from = crumb->cause.arguments[at];
        if (format[at] == 's')
            return true;
    }
    return false;
}

static void take_text(struct error_crumb *crumb)
{
    uint64_t from;
    if (error_is_discreet || !find_text(crumb, &from))
        return;
    if (from == 0) {
        crumb->cause.text_flags = LANE_VALUE_NULL;
        return;
    }
    struct reader reader = start_reader();
    struct read_part part =
        read_text(&reader, crumb->text, from, ERROR_TEXT_BYTES);
    crumb->cause.text_bytes = (uint16_t)part.len;
    if (part.end != READ_NUL)
        crumb->cause.text_flags = part.end == READ_FULL ? LANE_VALUE_TRUNCATED
                                                        : LANE_VALUE_UNREADABLE;
}

static uint8_t length_of(const char *text)
{
    uint8_t len = 0;
    while (text[len] != '\0')
        len++;
    return len;
}

static void fill_crumb(struct error_crumb *crumb, struct lane *lane,
                       const struct shim_call *call, uint64_t result, int error)
{
    const struct error_wish wish = {.reason = LANE_STACK_CAUSE,
                                    .limit_bytes = ERROR_CAUSE_BYTES};
    struct lane_frame_cause *cause = &crumb->cause;
    *cause = (struct lane_frame_cause){
        .arguments = {call->args.rdi, call->args.rsi, call->args.rdx,
                      call->args.rcx, call->args.r8, call->args.r9},
        .result = result,
        .ticks = span_now(),
        .made_in = crumb->span,
        .error = error,
        .name_bytes = length_of(crumb->what->name),
        .format_bytes = length_of(crumb->what->format),
    };
    take_text(crumb);
    error_copy_take((struct error_copy *)(void *)crumb->copy, lane, &wish);
    crumb->ticks = cause->ticks;
}

void error_note_call(const struct shim_call *call, uint64_t result,
                     const struct error_call *what)
{
    struct lane *lane = error_lane();
    if (lane == NULL || lane->depth == 0 || span_thread.error == NULL)
        return;
    int error = what->result == ERROR_NUMBER ? (int)result
                : what->result >= ERROR_CODE ? 0
                                             : *span_thread.error;
    const struct lane_open *open;
    if (is_answer(error) || !(open = error_open_span(lane, call->sp)))
        return;
    struct error_room *room = error_room_get(lane, true);
    if (room == NULL)
        return;
    struct error_crumb *crumb =
        &room->crumbs[(uint64_t)(open - lane->open) % ERROR_CRUMBS];
    if (crumb->span == open->span)
        return;
    if (room->crumbs_busy++ == 0) {
        crumb->span = open->span;
        crumb->what = what;
        fill_crumb(crumb, lane, call, result, error);
    }
    room->crumbs_busy--;
}

void error_note_stderr(uint64_t from, uint64_t len)
{
    struct lane *lane = error_lane();
    struct error_room *room =
        lane && !error_is_discreet ? error_room_get(lane, true) : NULL;
    if (room == NULL || len == 0)
        return;
    if (room->stderr_busy++ == 0) {
        struct reader reader = start_reader();
        struct error_write *write =
            &room->writes[room->write_next++ % ERROR_WRITES];
        uint64_t take = len < LANE_STDERR_MAX ? len : LANE_STDERR_MAX;
        uint64_t at = room->stderr_total % LANE_STDERR_MAX;
        uint64_t first = LANE_STDERR_MAX - at;
        first = first < take ? first : take;
        from += len - take;
        uint64_t got =
            read_bytes(&reader, room->stderr_bytes + at, from, first);
        if (got == first && take > first)
            got += read_bytes(&reader, room->stderr_bytes, from + first,
                              take - first);
        room->stderr_total += got;
        write->len_bytes = (uint32_t)got;
        write->ticks = span_now();
    }
    room->stderr_busy--;
}

void error_note_stderr_parts(uint64_t pieces, uint32_t count)
{
    const struct reader reader = {.pid = process_self()};
    for (uint32_t i = 0; i < count && i < ERROR_WRITES; i++) {
        uint64_t piece[2]; /* struct iovec */
        if (read_bytes(&reader, piece, pieces + i * sizeof(piece),
                       sizeof(piece)) != sizeof(piece))
            return;
        error_note_stderr(piece[0], piece[1]);
    }
}

/* ---- writing ----------------------------------------------------------- */

/* The first that was made in this span or below it. */
static struct error_crumb *find_crumb(struct error_room *room, uint64_t t0)
{
    struct error_crumb *first = NULL;
    for (uint32_t i = 0; i < ERROR_CRUMBS; i++) {
        struct error_crumb *crumb = &room->crumbs[i];
        if (crumb->span != 0 && crumb->ticks >= t0 &&
            (first == NULL || crumb->ticks < first->ticks))
            first = crumb;
    }
    return first;
}

static void write_crumb(struct lane *lane, struct error_crumb *crumb,
                        uint64_t span, uint32_t site)
{
    struct lane_frame_cause *cause = &crumb->cause;
    struct capture_frame frame;
    uint32_t payload = (uint32_t)sizeof(*cause) + cause->name_bytes +
                       cause->format_bytes + cause->text_bytes;
    cause->stack = error_copy_write(
        lane, (struct error_copy *)(void *)crumb->copy, span, site);
    if (!capture_frame_open(lane, payload, &frame))
        return;
    uint8_t *to = frame.payload;
    read_copy(to, cause, sizeof(*cause));
    to += sizeof(*cause);
    read_copy(to, crumb->what->name, cause->name_bytes);
    to += cause->name_bytes;
    read_copy(to, crumb->what->format, cause->format_bytes);
    to += cause->format_bytes;
    read_copy(to, crumb->text, cause->text_bytes);
    capture_frame_commit(&frame, payload, LANE_FRAME_CAUSE, 0, span, site);
}

/* Bytes written since t0, at most as many as there are. */
static uint64_t stderr_since(const struct error_room *room, uint64_t t0,
                             bool *is_truncated)
{
    uint64_t len = 0;
    for (uint32_t i = 1; i <= ERROR_WRITES; i++) {
        const struct error_write *write =
            &room->writes[(room->write_next - i) % ERROR_WRITES];
        if (write->ticks == 0 || write->ticks < t0)
            break;
        len += write->len_bytes;
        *is_truncated = i == ERROR_WRITES;
    }
    if (len > LANE_STDERR_MAX) {
        *is_truncated = true;
        len = LANE_STDERR_MAX;
    }
    return len;
}

static void write_stderr(struct lane *lane, struct error_room *room,
                         uint64_t span, uint32_t site, uint64_t t0)
{
    struct capture_frame frame;
    bool is_truncated = false;
    uint64_t len = stderr_since(room, t0, &is_truncated);
    if (len == 0 || !capture_frame_open(lane, (uint32_t)len, &frame))
        return;
    uint64_t at = (room->stderr_total - len) % LANE_STDERR_MAX;
    uint64_t first = LANE_STDERR_MAX - at < len ? LANE_STDERR_MAX - at : len;
    read_copy(frame.payload, room->stderr_bytes + at, first);
    read_copy(frame.payload + first, room->stderr_bytes, len - first);
    capture_frame_commit(&frame, (uint32_t)len, LANE_FRAME_STDERR,
                         is_truncated ? LANE_STDERR_TRUNCATED << 16 : 0, span,
                         site);
}

void error_write_cause(struct lane *lane, uint64_t span, uint32_t site,
                       uint64_t t0_ticks)
{
    struct error_room *room = error_room_get(lane, false);
    if (room == NULL)
        return;
    if (room->crumbs_busy++ == 0) {
        struct error_crumb *crumb = find_crumb(room, t0_ticks);
        if (crumb)
            write_crumb(lane, crumb, span, site);
    }
    room->crumbs_busy--;
    if (room->stderr_busy++ == 0)
        write_stderr(lane, room, span, site, t0_ticks);
    room->stderr_busy--;
}
