/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the library calls that failed in a span is its cause, if one is. A
 * wrong one is worse than none: a call that the work went on after is none
 * unless the program names what it was about, and a look for something that
 * may be missing is none if the program complains of something else.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lane/format/error_frames.h"

struct cause_evidence {
    const struct lane_frame_error *error; /* NULL: a signal, or an exit */
    bool is_panic; /* what failed after it is what its printer looked for */
    const char *message, *said; /* of an exception; stderr. "": nothing */
};
/* The payload of a CAUSE frame -> {"call": "open", "args": [...], "errno": 2,
 * "error": "ENOENT"}, malloc'ed, and the hash of its stack; NULL: no cause. */
char *cause_choose(const uint8_t *payload, size_t len_bytes,
                   const struct cause_evidence *evidence, uint64_t *stack);
