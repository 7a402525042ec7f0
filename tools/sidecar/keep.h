/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retention as the sidecar does it by itself: looks at the store at its start
 * and each minute, or when it is too large and grows, and works a step at a
 * time between batches, so that draining waits for one small transaction at
 * most.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct keep {
    struct retention *store;    /* open while there is something to do */
    int64_t look_at_ns;         /* on the monotonic clock; 0: now */
    int64_t boot_is_zero_at_ns; /* on the wall clock, at the first look */
    int64_t size_at_ns;         /* when the file's size is looked at again */
    int64_t left_bytes;         /* it had after the last look */
    int64_t traces, spans, thinned;
    bool is_told; /* that settings or store do not allow it */
};

/* A step, if it is time for one: while programs record (`is_busy`) with pauses,
 * so that they come first. True: there is more to do soon. */
bool keep_step(struct keep *keep, const char *store, bool is_busy,
               int64_t now_ns);
void keep_end(struct keep *keep);
