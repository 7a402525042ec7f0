/* SPDX-License-Identifier: Apache-2.0 */
/* From a copied stack to the addresses of its frames. */
#pragma once
#include "lane/format/error_frames.h"
#include "tools/symbolize/location.h"
#include "tools/symbolize/modules.h"

enum {
    UNWIND_MAX = 256,
};

struct unwind_input {
    const struct lane_frame_stack *head;
    const struct lane_stack_call *call; /* head->call_count of them */
    const uint8_t *bytes;               /* head->stack_bytes */
    const uint8_t *own_id;              /* build id of the preload, 20 bytes */
};
struct unwind_frame {
    uint64_t address;
    bool is_call;             /* a return address; else where it stood */
    bool is_guess;            /* found without unwind tables */
    uint32_t site;            /* of the handler that it is, 0: none */
    struct location_frame at; /* for values */
};
enum unwind_end {
    UNWIND_WHOLE,     /* up to the thread's first frame */
    UNWIND_TRUNCATED, /* the copy ends */
    UNWIND_LOST,      /* the stack contradicts itself */
    UNWIND_MOST,      /* more than UNWIND_MAX frames */
};

/* Innermost first; frames of the preload are left out. Number of frames. */
int unwind_stack(struct modules *modules, const struct unwind_input *in,
                 struct unwind_frame *out, enum unwind_end *end);
