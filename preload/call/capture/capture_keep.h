/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters that are gone when the call has returned: those on the stack,
 * whose words belong to the callee, and those in vector registers. Where an
 * output or a rule speaks of them they are kept from the entry on, a place for
 * each open span of each lane.
 */
#pragma once
#include "preload/call/capture/capture_plan.h"
#include "preload/call/record/span_internal.h"

enum {
    CAPTURE_KEEP_BYTES = 256 /* of stack arguments */
};
struct capture_kept {
    uint64_t span; /* whose they are */
    uint64_t stack[CAPTURE_KEEP_BYTES / 8];
    uint8_t freg[8][16];
};

/* Once, before the first site that needs it is bound. 0 or -errno: nothing is
 * kept, and what needs it is unreadable. */
HIDDEN int capture_keep_reserve(void) __attribute__((warn_unused_result));
/* At enter, of the span that was just opened. */
HIDDEN void capture_keep(const struct capture_plan *plan,
                         const struct lane *lane, const struct lane_open *open,
                         const struct shim_call *call);
/* At leave; NULL: nothing was kept. */
HIDDEN const struct capture_kept *capture_kept_of(const struct shim_call *call,
                                                  uint64_t span);
