/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a thread remembers for the sake of a failure that may come: private
 * memory, one mapping for each lane whose thread met a first failure. It
 * belongs to the lane's index, so threads that come and go share it one after
 * the other; what an earlier one left is told by its span and time.
 */
#pragma once
#include "preload/call/error/error.h"

enum {
    ERROR_CRUMBS = 8, /* by depth of the span */
    ERROR_TEXT_BYTES = 256,
    ERROR_WRITES = 16,
    ERROR_THROWS = 8,
};

enum {
    ERROR_KEPT = 4,    /* calls of a span that failed */
    ERROR_STACKS = 64, /* of the calls that fail in one span: those after them
                          are kept without a stack */
};
struct error_crumb {
    uint64_t span; /* the span it was made in; 0: none */
    uint64_t ticks;
    uint32_t count;      /* the how manieth it is in its span */
    uint32_t span_count; /* of the first: how many there were */
    bool has_stack;
    const struct error_call *what;
    struct lane_frame_cause cause;
    uint8_t text[ERROR_TEXT_BYTES];
    _Alignas(8) uint8_t copy[sizeof(struct error_copy) + ERROR_CAUSE_BYTES];
};

/* The newest signal that the program has a handler for. */
struct error_handled {
    struct error_handler_frame frame; /* address[0] 0: none */
    uint64_t words[ERROR_FRAME_WORDS];
    uint64_t span, hash, fault_address, pc, sp;
    uint32_t site;
    int32_t signal, code;
};

struct error_room {
    /* taken by a hook that a signal handler may interrupt: >0, keep off */
    uint32_t crumbs_busy, scratch_busy, signal_busy, stderr_busy;
    /* the last throws: which object, where its frame stands */
    struct error_throw {
        uint64_t object, position;
    } throws[ERROR_THROWS];
    uint32_t throw_next;
    /* what was written to descriptor 2: the last bytes, the last writes */
    uint32_t write_next;
    struct error_write {
        uint64_t ticks;
        uint32_t len_bytes, pad0;
    } writes[ERROR_WRITES];
    uint64_t stderr_total; /* bytes ever; the next one goes to it modulo size */
    uint8_t stderr_bytes[LANE_STDERR_MAX];
    struct error_handled handled;
    struct error_event event;
    uint64_t work_ticks; /* something was opened or read: crumbs before it */
    /* of a span the first, then the last ones */
    struct error_crumb crumbs[ERROR_CRUMBS][ERROR_KEPT];
    _Alignas(8) uint8_t scratch[sizeof(struct error_copy) + ERROR_COPY_BYTES];
    _Alignas(
        8) uint8_t at_signal[sizeof(struct error_copy) + ERROR_SIGNAL_BYTES];
};

/* The thread's lane, if it may be written to now; NULL else. */
HIDDEN struct lane *error_lane(void);
/* Room of a lane; `make`: get one if there is none. NULL: none. */
HIDDEN struct error_room *error_room_get(const struct lane *lane, bool make);
/* The innermost open span of this stack; NULL: none. */
HIDDEN const struct lane_open *error_open_span(struct lane *lane, uint64_t sp);
