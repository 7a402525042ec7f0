/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals for which the program has a handler (handled.c): mostly they are its
 * last, but it may as well live on. So the stack is written at once, as one
 * that counts only if the process ends by that signal; if it ends by its own
 * will while the handler runs, a second frame says that it does count.
 *
 * Whether a handler still runs nobody tells. It does if the stack pointer is
 * below the frame that the kernel made for it and the frame is as it was.
 */
#include "preload/call/error/error_room.h"
#include "preload/call/record/process_self.h"
#include "preload/call/memory/read.h"
#include "lane/format/ids.h"
#include "preload/call/record/span_internal.h"
#include "lane/format/assert.h"
#include <signal.h>

enum {
    PLACES = 64,
    PLACE_COPIES = 2, /* in about a second */
    ALL_COPIES = 16,
    NEAR = 1 << 20,
    RSP = 7,
    RIP = 16,
};

static bool runs(const struct error_handled *kept, uint64_t sp)
{
    uint64_t frame = kept->frame.address[0];
    if (frame == 0 || sp >= frame || frame - sp > NEAR)
        return false;
    for (int i = 0; i < ERROR_FRAME_WORDS; i++) {
        uint64_t word;
        if (read_by_kernel(process_self(), &word, kept->frame.address[i],
                           sizeof(word)) != sizeof(word) ||
            word != kept->words[i])
            return false;
    }
    return true;
}

bool error_wants_handled(uint64_t pc, uint64_t sp)
{
    static uint64_t places[PLACES], all;
    struct lane *lane = error_lane();
    if (lane == NULL || lane->depth == 0)
        return false;
    struct error_room *room = error_room_get(lane, false);
    /* a handler may look at what is not there, and be sure to survive it */
    if (room != NULL && runs(&room->handled, sp))
        return false;
    if (room != NULL)
        room->handled.frame.address[0] = 0;
    uint64_t now = span_now();
    return error_may_pass(&places[lane_mix64(pc) % PLACES], now,
                          PLACE_COPIES) &&
           error_may_pass(&all, now, ALL_COPIES);
}

static void keep(struct error_handled *kept,
                 const struct error_handler_frame *frame)
{
    lane_assert(kept != NULL && frame != NULL);
    for (int i = 0; i < ERROR_FRAME_WORDS; i++) {
        kept->words[i] = *(const uint64_t *)frame->address[i];
        if (i > 0)
            kept->frame.address[i] = frame->address[i];
    }
    kept->frame.address[0] = frame->address[0];
}

void error_note_handled(const struct error_fault *fault,
                        const struct error_handler_frame *frame)
{
    lane_assert(fault->signal > 0 && fault->registers != NULL);
    const struct error_wish wish = {.reason = LANE_STACK_SIGNAL,
                                    .limit_bytes = ERROR_SIGNAL_BYTES,
                                    .registers = fault->registers,
                                    .fault_address = fault->address,
                                    .signal = fault->signal,
                                    .signal_code = fault->code};
    struct lane *lane = error_lane();
    const struct lane_open *open =
        lane ? error_open_span(lane, fault->registers[RSP]) : NULL;
    struct error_room *room = open ? error_room_get(lane, true) : NULL;
    if (room == NULL)
        return;
    if (room->signal_busy++ == 0) {
        struct error_copy *copy = (struct error_copy *)(void *)room->at_signal;
        struct error_handled *kept = &room->handled;
        uint32_t site = LANE_SITE_OF(open->site_kind);
        if (fault->signal == SIGABRT)
            error_note_abort();
        /* now: what fails in the handler is no cause */
        error_write_cause(lane, open->span, site, open->t0_ticks);
        error_copy_take(copy, lane, &wish);
        copy->head.flags |= LANE_STACK_HANDLED;
        kept->hash = error_copy_write(lane, copy, open->span, site);
        kept->span = open->span;
        kept->site = site;
        kept->fault_address = fault->address;
        kept->signal = fault->signal;
        kept->code = fault->code;
        kept->pc = fault->registers[RIP];
        kept->sp = fault->registers[RSP];
        if (kept->hash != 0)
            keep(kept, frame);
    }
    lane_assert(room->signal_busy != 0);
    room->signal_busy--;
}

/* It returned, and the same signal is here again: raised by it, or the same
 * fault once more. */
static bool comes_again(const struct error_handled *kept,
                        const struct error_fault *fault)
{
    lane_assert(fault->registers != NULL);
    return kept->frame.address[0] != 0 && fault->signal == kept->signal &&
           fault->registers[RIP] == kept->pc &&
           fault->registers[RSP] == kept->sp;
}

bool error_finish_handled(struct lane *lane, uint64_t sp,
                          const struct error_fault *fault)
{
    struct error_room *room = error_room_get(lane, false);
    const struct error_handled *kept = room ? &room->handled : NULL;
    if (kept == NULL ||
        (!runs(kept, sp) && !(fault && comes_again(kept, fault))))
        return false;
    if (room->scratch_busy++ == 0) {
        struct error_copy *copy = (struct error_copy *)(void *)room->scratch;
        copy->head = (struct lane_frame_stack){
            .reason = LANE_STACK_SIGNAL,
            .hash = kept->hash,
            .ticks = span_now(),
            .fault_address = kept->fault_address,
            .signal = kept->signal,
            .signal_code = kept->code,
            .tid = lane->tid,
        };
        (void)error_copy_write(lane, copy, kept->span, kept->site);
    }
    lane_assert(room->scratch_busy != 0);
    room->scratch_busy--;
    return true;
}
