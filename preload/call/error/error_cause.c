/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causes: while a span is open, the first and the last calls of the shipped
 * list that fail in it are kept with their arguments, errno and stack, and what
 * the thread last wrote to stderr. Most spans do not fail, so all of it waits
 * in private memory; the leave of one that does writes it out. Which of them is
 * the cause, if one is, the reader judges.
 *
 * A call that does not fail costs its hook and one comparison, two if it opens
 * or reads something.
 */
#include "preload/call/error/error_room.h"

#include "preload/call/capture/capture_write.h"
#include "preload/call/record/process_self.h"
#include "preload/call/memory/read.h"
#include "preload/call/record/span_internal.h"
#include "lane/format/assert.h"

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
    lane_assert(crumb != NULL && span_is_own(lane));
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
    crumb->has_stack = crumb->count <= ERROR_STACKS;
    if (crumb->has_stack)
        error_copy_take((struct error_copy *)(void *)crumb->copy, lane, &wish);
    crumb->ticks = cause->ticks;
}

/* Where it goes: the first one of a span stays, the last ones follow. */
static struct error_crumb *choose_crumb(struct error_crumb of[ERROR_KEPT],
                                        uint64_t span)
{
    uint32_t count = 1;
    if (of[0].span == span)
        count = ++of[0].span_count;
    else
        for (uint32_t i = 1; i < ERROR_KEPT; i++)
            of[i].span = 0;
    struct error_crumb *crumb =
        &of[count == 1 ? 0 : 1 + (count - 2) % (ERROR_KEPT - 1)];
    of[0].span_count = count;
    crumb->count = count;
    return crumb;
}

void error_note_call(const struct shim_call *call, uint64_t result,
                     const struct error_call *what)
{
    lane_assert(what != NULL);
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
    if (room->crumbs_busy++ == 0) {
        struct error_crumb *crumb = choose_crumb(
            room->crumbs[(uint64_t)(open - lane->open) % ERROR_CRUMBS],
            open->span);
        span_thread.has_crumbs = 1;
        crumb->span = open->span;
        crumb->what = what;
        fill_crumb(crumb, lane, call, result, error);
    }
    room->crumbs_busy--;
}

void error_note_work(void)
{
    struct lane *lane = error_lane();
    struct error_room *room = lane ? error_room_get(lane, false) : NULL;
    span_thread.has_crumbs = 0;
    if (room != NULL)
        room->work_ticks = span_now();
}

void error_note_stderr(uint64_t from, uint64_t len)
{
    struct lane *lane = error_lane();
    struct error_room *room =
        lane && !error_is_discreet ? error_room_get(lane, true) : NULL;
    error_process_wrote(from, len);
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

/* The oldest that was made in this span or below it. */
static struct error_crumb *find_first(struct error_room *room, uint64_t t0)
{
    struct error_crumb *found = NULL;
    for (uint32_t i = 0; i < ERROR_KEPT * ERROR_CRUMBS; i++) {
        struct error_crumb *crumb =
            &room->crumbs[i / ERROR_KEPT][i % ERROR_KEPT];
        if (crumb->span != 0 && crumb->ticks >= t0 &&
            (found == NULL || crumb->ticks < found->ticks))
            found = crumb;
    }
    return found;
}

/* The newest of those between the two. */
static struct error_crumb *find_between(struct error_room *room, uint64_t after,
                                        uint64_t before)
{
    struct error_crumb *found = NULL;
    for (uint32_t i = 0; i < ERROR_KEPT * ERROR_CRUMBS; i++) {
        struct error_crumb *crumb =
            &room->crumbs[i / ERROR_KEPT][i % ERROR_KEPT];
        if (crumb->span != 0 && crumb->ticks > after && crumb->ticks < before &&
            (found == NULL || crumb->ticks > found->ticks))
            found = crumb;
    }
    return found;
}

static uint32_t bytes_of(const struct error_crumb *crumb)
{
    const struct lane_frame_cause *cause = &crumb->cause;
    return ((uint32_t)sizeof(*cause) + cause->name_bytes + cause->format_bytes +
            cause->text_bytes + 7) &
           ~7u;
}

/* Its stack stands before it. */
static void write_copy(struct lane *lane, struct error_room *room,
                       struct error_crumb *crumb, uint64_t span, uint32_t site)
{
    crumb->cause.is_survived = room->work_ticks > crumb->ticks;
    crumb->cause.stack =
        crumb->has_stack
            ? error_copy_write(lane, (struct error_copy *)(void *)crumb->copy,
                               span, site)
            : 0;
}

static void put_crumb(uint8_t *to, const struct error_crumb *crumb)
{
    const struct lane_frame_cause *cause = &crumb->cause;
    read_copy(to, cause, sizeof(*cause));
    to += sizeof(*cause);
    read_copy(to, crumb->what->name, cause->name_bytes);
    to += cause->name_bytes;
    read_copy(to, crumb->what->format, cause->format_bytes);
    to += cause->format_bytes;
    read_copy(to, crumb->text, cause->text_bytes);
}

static void write_crumbs(struct lane *lane, struct error_room *room,
                         uint64_t span, uint32_t site, uint64_t t0)
{
    lane_assert(room != NULL && span_is_own(lane));
    struct error_crumb *chosen[ERROR_KEPT] = {find_first(room, t0)};
    struct capture_frame frame;
    uint32_t count = 0, len = 0, at = 0;
    for (uint64_t before = UINT64_MAX; chosen[count] != NULL;) {
        write_copy(lane, room, chosen[count], span, site);
        len += bytes_of(chosen[count]);
        if (++count == ERROR_KEPT)
            break;
        chosen[count] = find_between(room, chosen[0]->ticks, before);
        before = chosen[count] ? chosen[count]->ticks : 0;
    }
    if (count == 0 || !capture_frame_open(lane, len, &frame))
        return;
    for (uint32_t i = 0; i < count; i++) {
        put_crumb(frame.payload + at, chosen[i]);
        at += bytes_of(chosen[i]);
    }
    capture_frame_commit(&frame, len, LANE_FRAME_CAUSE, 0, span, site);
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
    lane_assert(room != NULL && span_is_own(lane));
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

void error_write_crumbs(struct lane *lane, uint64_t span, uint32_t site,
                        uint64_t t0_ticks)
{
    struct error_room *room = error_room_get(lane, false);
    if (room == NULL)
        return;
    if (room->crumbs_busy++ == 0)
        write_crumbs(lane, room, span, site, t0_ticks);
    room->crumbs_busy--;
}

void error_write_cause(struct lane *lane, uint64_t span, uint32_t site,
                       uint64_t t0_ticks)
{
    struct error_room *room = error_room_get(lane, false);
    if (room == NULL)
        return;
    error_write_crumbs(lane, span, site, t0_ticks);
    if (room->stderr_busy++ == 0)
        write_stderr(lane, room, span, site, t0_ticks);
    room->stderr_busy--;
}
