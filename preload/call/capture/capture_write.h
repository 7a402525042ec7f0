/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of values: measure what is wanted, share the room, reserve exactly,
 * copy. Between capture.c (which values, when) and the lane.
 */
#pragma once
#include "preload/call/capture/capture_plan.h"
#include "preload/call/memory/read.h"

/* Everything that expressions of one call may ask for. */
struct capture_call {
    struct manifest_env env; /* env.context: the reader */
    struct reader reader;
};

/* The first line of a frame with this payload in the own lane's log and where
 * the payload goes; the position, or 0: no room. The frame is not committed.
 */
struct capture_frame {
    uint8_t *line;
    uint8_t *payload; /* zeroed behind its end up to the line's */
    uint64_t position;
};
HIDDEN bool capture_frame_open(struct lane *lane, uint32_t payload_bytes,
                               struct capture_frame *frame);
/* `count`: of values; in the upper half flags of the frame. */
HIDDEN void capture_frame_commit(const struct capture_frame *frame,
                                 uint32_t payload_bytes,
                                 enum lane_frame_kind kind, uint32_t count,
                                 uint64_t span, uint32_t site);

/* Write a list of values. `failed`: leave out what needs success. Position, 0:
 * nothing to write, UINT64_MAX: no room. */
HIDDEN uint64_t capture_write(const struct capture_list *list,
                              const struct capture_call *call, bool failed,
                              enum lane_frame_kind kind, struct lane *lane,
                              uint64_t span, uint32_t site);
/* The same in one pass, for a direct list of which everything is short and
 * known to be there, of a call that did not fail. `rax` at leave. Position,
 * UINT64_MAX: no room; 0: capture_write() must do it. (capture_direct.c) */
HIDDEN uint64_t capture_write_direct(const struct capture_list *list,
                                     const struct shim_call *call, uint64_t rax,
                                     struct lane *lane,
                                     enum lane_frame_kind kind, uint64_t span);
/* Cut to size_bytes and extend, as C would. */
static inline uint64_t capture_extend(uint64_t value, uint32_t size_bytes,
                                      bool is_signed)
{
    uint32_t unused = 64 - 8 * size_bytes;
    if (unused == 0 || unused >= 64)
        return value;
    return is_signed ? (uint64_t)((int64_t)(value << unused) >> unused)
                     : value << unused >> unused;
}
