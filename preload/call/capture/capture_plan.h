/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to copy at a site, worked out when it is bound (capture_bind.c) so
 * that a call has only to do it (capture.c). Read-only once published.
 */
#pragma once
#include "manifest/run/eval.h"
#include "preload/call/capture/capture.h"

enum {
    CAPTURE_EVALUATE = 0xff, /* capture_value.source: run the expression */
    CAPTURE_RAX = 6,
    /* Texts and byte ranges of one frame; more are told apart as truncated
     * to nothing. Bounds the stack that a frame needs. */
    CAPTURE_RANGE_MAX = 16,
    CAPTURE_SCAN_MAX = 1 << 20, /* where the search for a NUL ends */
    CAPTURE_SHORT_BYTES = 192,  /* of a list that is written in one pass */
};

struct capture_value {
    const struct manifest_expr *expr;
    uint64_t head;  /* the first word of a value without flags and length */
    uint16_t item;  /* index from the site's item_first */
    uint8_t type;   /* enum lane_value_type */
    uint8_t source; /* integer argument register 0 to 5, RAX, EVALUATE */
    uint8_t unused_bits; /* of its register; 0: none */
    bool is_signed;
    bool needs_success; /* read only if the call did not fail: `*out` */
};
struct capture_list {
    const struct capture_value *values;
    uint32_t count;
    uint32_t cap_bytes; /* of texts and bytes together */
    bool is_direct;     /* all values are integers in registers, or texts that
                           registers point to: capture_write_direct() */
    bool is_value;      /* one integer in a register: stands in the record */
    bool needs_freg, needs_x87;
};
struct capture_rule {
    const struct manifest_expr *condition, *code;
    uint16_t item;
    bool is_secret;
};
struct capture_plan {
    struct capture_list in, out;
    const struct capture_rule *fails, *benign;
    uint32_t fails_count, benign_count;
    bool rules_need_freg;
    /* what outputs and rules need of the entry: bytes of stack arguments,
     * vector registers (capture_keep.h) */
    bool keeps_freg;
    uint16_t keep_bytes;
    /* of the return value, for the error frame */
    uint8_t return_kind; /* enum lane_return_kind */
    uint8_t return_size_bytes;
};
