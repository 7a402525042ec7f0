/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors that are written at once: of a rule, of a fatal signal; causes first,
 * then the stack. [the thread itself, also in signal handlers]
 */
#include "preload/call/error/error_room.h"

#include "preload/call/record/span_internal.h"
#include "lane/format/assert.h"
#include <signal.h>

uint64_t error_write_stack(struct lane *lane, uint64_t span, uint32_t site,
                           enum lane_stack_reason reason)
{
    lane_assert(span_is_own(lane));
    const struct error_wish wish = {.reason = reason,
                                    .limit_bytes = ERROR_COPY_BYTES};
    struct error_room *room = error_room_get(lane, true);
    uint64_t hash = 0;
    if (room == NULL)
        return 0;
    if (room->scratch_busy++ == 0) {
        struct error_copy *copy = (struct error_copy *)(void *)room->scratch;
        error_copy_take(copy, lane, &wish);
        hash = error_copy_write(lane, copy, span, site);
    }
    room->scratch_busy--;
    return hash;
}

void error_write_rule(struct lane *lane, uint64_t span, uint32_t site,
                      uint64_t t0_ticks, bool is_left)
{
    lane_assert(span_is_own(lane));
    error_write_cause(lane, span, site, t0_ticks);
    (void)error_write_stack(lane, span, site,
                            is_left ? LANE_STACK_LEFT : LANE_STACK_RULE);
}

void error_note_signal(const struct error_fault *fault)
{
    const struct error_wish wish = {.reason = LANE_STACK_SIGNAL,
                                    .limit_bytes = ERROR_SIGNAL_BYTES,
                                    .registers = fault->registers,
                                    .fault_address = fault->address,
                                    .signal = fault->signal,
                                    .signal_code = fault->code};
    struct lane *lane = error_lane();
    if (lane == NULL)
        lane = thread_attach();
    struct error_room *room = lane ? error_room_get(lane, true) : NULL;
    /* a handler that raises it again: where it came first is what counts */
    if (room == NULL ||
        error_finish_handled(lane, fault->registers[7], fault) ||
        room->signal_busy++ != 0)
        return;
    const struct lane_open *open = error_open_span(lane, fault->registers[7]);
    uint64_t span = open ? open->span : span_process.ref;
    uint32_t site = open ? LANE_SITE_OF(open->site_kind) : 0;
    struct error_copy *copy = (struct error_copy *)(void *)room->at_signal;
    if (fault->signal == SIGABRT)
        error_note_abort();
    if (open)
        error_write_cause(lane, span, site, open->t0_ticks);
    error_write_process_stderr(lane, site);
    error_copy_take(copy, lane, &wish);
    (void)error_copy_write(lane, copy, span, site);
    room->signal_busy = 0;
}
