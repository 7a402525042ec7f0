/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be told of a process that fails although no handler does: the end
 * of what it wrote to stderr, whichever thread did; at a failing exit the
 * stack, and the cause and site of the innermost handler that was open. Frames
 * of the process's own reference.
 */
#include "preload/call/error/error_room.h"

#include "preload/call/record/blind.h"
#include "preload/call/capture/capture_write.h"
#include "preload/call/record/process_self.h"
#include "preload/call/memory/read.h"
#include "preload/call/record/span_internal.h"
#include "lane/format/assert.h"

enum {
    FIRST_BYTES = 384,
    ABORT_BYTES = 256,
};

uint64_t error_abort_text;

/* Of two threads that write at the same moment one is heard. */
static struct {
    uint32_t busy;
    uint32_t owner; /* *runtime.alive then: a forked child begins anew */
    uint64_t total; /* bytes ever; the next one goes to it modulo size */
    uint8_t bytes[LANE_STDERR_MAX];
    uint8_t first[FIRST_BYTES]; /* what it says before its long help */
} last;
static const char between[] = "\n[...]\n";

static bool take(void)
{
    /* acquire; pairs with give() */
    return __atomic_exchange_n(&last.busy, 1, __ATOMIC_ACQUIRE) == 0;
}

static void give(void)
{
    lane_assert(last.busy != 0);
    /* release; pairs with take() */
    __atomic_store_n(&last.busy, 0, __ATOMIC_RELEASE);
}

void error_process_wrote(uint64_t from, uint64_t len)
{
    const struct reader reader = {.pid = process_self()};
    uint32_t owner = *runtime.alive;
    if (error_is_discreet || len == 0 || !take())
        return;
    if (last.owner != owner && last.owner != 0)
        last.total = 0;
    last.owner = owner;
    if (last.total < FIRST_BYTES) {
        uint64_t room = FIRST_BYTES - last.total;
        (void)read_bytes(&reader, last.first + last.total, from,
                         len < room ? len : room);
    }
    if (len > LANE_STDERR_MAX) {
        from += len - LANE_STDERR_MAX;
        last.total += len - LANE_STDERR_MAX;
        len = LANE_STDERR_MAX;
    }
    uint64_t at = last.total % LANE_STDERR_MAX;
    uint64_t first = LANE_STDERR_MAX - at < len ? LANE_STDERR_MAX - at : len;
    uint64_t got = read_bytes(&reader, last.bytes + at, from, first);
    if (got == first && len > first)
        got += read_bytes(&reader, last.bytes, from + first, len - first);
    lane_assert(got <= len && len <= LANE_STDERR_MAX);
    last.total += got;
    give();
}

/* Did what was written last end so? */
static bool ends_with(const uint8_t *text, uint64_t len)
{
    lane_assert(len <= LANE_STDERR_MAX);
    bool is_same = false;
    if (last.total < len || !take())
        return false;
    for (uint64_t i = 0; i < len; i++) {
        is_same =
            last.bytes[(last.total - len + i) % LANE_STDERR_MAX] == text[i];
        if (!is_same)
            break;
    }
    give();
    return is_same;
}

/* It points to a 32-bit size and a text behind it. */
void error_note_abort(void)
{
    const struct reader reader = {.pid = process_self()};
    uint8_t text[ABORT_BYTES];
    uint64_t at = 0;
    if (error_abort_text == 0 ||
        read_bytes(&reader, &at, error_abort_text, sizeof at) != sizeof at ||
        at == 0)
        return;
    at += sizeof(uint32_t);
    uint64_t len = read_text(&reader, text, at, sizeof text).len;
    if (len != 0 && !ends_with(text, len)) /* assert() writes as all do */
        error_note_stderr(at, len);
}

/* The newest `len` bytes. */
static void put_last(uint8_t *to, uint64_t len)
{
    lane_assert(len <= LANE_STDERR_MAX);
    uint64_t at = (last.total - len) % LANE_STDERR_MAX;
    uint64_t first = LANE_STDERR_MAX - at < len ? LANE_STDERR_MAX - at : len;
    read_copy(to, last.bytes + at, first);
    read_copy(to + first, last.bytes, len - first);
}

void error_write_process_stderr(struct lane *lane, uint32_t site)
{
    lane_assert(span_is_own(lane));
    struct capture_frame frame;
    const uint64_t gap = sizeof(between) - 1;
    if (!take())
        return;
    bool is_cut = last.total > LANE_STDERR_MAX;
    uint64_t len = is_cut ? LANE_STDERR_MAX : last.total;
    if (len != 0 && last.owner == *runtime.alive &&
        capture_frame_open(lane, (uint32_t)len, &frame)) {
        uint8_t *to = frame.payload;
        if (is_cut) {
            read_copy(to, last.first, FIRST_BYTES);
            read_copy(to + FIRST_BYTES, between, gap);
            to += FIRST_BYTES + gap;
        }
        put_last(to, is_cut ? LANE_STDERR_MAX - FIRST_BYTES - gap : len);
        capture_frame_commit(&frame, (uint32_t)len, LANE_FRAME_STDERR, 0,
                             span_process.ref, site);
    }
    give();
}

/* The manifest's word on an exit status, else the shell's. */
static bool is_failure(int status)
{
    const struct lane_session *session = runtime.map.session;
    uint32_t code = (uint32_t)status & 0xff;
    if (!session->has_exit_rules)
        return code != 0;
    return session->exit_errors[code / 8] >> code % 8 & 1;
}

void error_note_end(int status)
{
    uint64_t sp = (uint64_t)__builtin_frame_address(0);
    struct lane *lane = error_lane();
    bool failed = is_failure(status);
    if (lane == NULL && failed && !blind && thread_attach() != NULL)
        lane = error_lane();
    if (lane == NULL || error_finish_handled(lane, sp, NULL) || !failed)
        return;
    const struct lane_open *open = error_open_span(lane, sp);
    uint32_t site = open ? LANE_SITE_OF(open->site_kind) : 0;
    if (open)
        error_write_crumbs(lane, span_process.ref, site, open->t0_ticks);
    error_write_process_stderr(lane, site);
    (void)error_write_stack(lane, span_process.ref, site, LANE_STACK_ABORT);
}
