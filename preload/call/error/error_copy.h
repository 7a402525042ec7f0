/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The raw stack of an error: taken where it happens, written into the lane
 * when it is known to matter. Nothing is understood here: registers, a piece
 * of memory, and the true return addresses of the calls that our trampolines
 * carry. lane/format/error_frames.h says what the reader gets.
 */
#pragma once
#include "lane/format/error_frames.h"
#include "preload/call/record/runtime.h"

enum {
    ERROR_COPY_BYTES = 16 * 1024,  /* of a rule, a throw, an end */
    ERROR_CAUSE_BYTES = 8 * 1024,  /* of a breadcrumb */
    ERROR_SIGNAL_BYTES = 32 * 1024 /* of a fatal signal */
};

/* A frame in the making: `head` and calls as they will be, then the bytes. */
struct error_copy {
    struct lane_frame_stack head;
    struct lane_stack_call calls[LANE_STACK_CALLS_MAX];
    uint64_t bytes[]; /* the caller's room */
};

/* Which stack. */
struct error_wish {
    enum lane_stack_reason reason;
    uint32_t limit_bytes; /* room in `bytes` */
    /* of a fatal signal; else NULL and 0: the caller's own stack */
    const uint64_t *registers; /* LANE_STACK_REGISTERS of them */
    uint64_t fault_address;
    int32_t signal, signal_code;
};

/* Copy the stack now. Never fails: what could not be read is said in
 * head.flags. [the lane's thread; signal-safe; 300 bytes of stack] */
HIDDEN void error_copy_take(struct error_copy *copy, struct lane *lane,
                            const struct error_wish *wish);
/*
 * Write it as a frame of `span`: with its bytes, or as a reference to an equal
 * one before, or not at all where its site failed too often in this second.
 * Its hash; 0: nothing was written.
 */
HIDDEN uint64_t error_copy_write(struct lane *lane, struct error_copy *copy,
                                 uint64_t span, uint32_t site);

/* One more of at most `most` in this window of about a second? `ticks`: now;
 * *word counts. Racing threads may get a few more. */
HIDDEN bool error_may_pass(uint64_t *word, uint64_t ticks, uint32_t most);

/* The callee-saved registers, rsp and rip of who calls; the others stay. */
HIDDEN void error_registers(uint64_t registers[LANE_STACK_REGISTERS]);
/* Call fn(argument) on the stack that ends at `top`. */
HIDDEN void error_on_stack(void (*fn)(void *argument), void *argument,
                           void *top);

/* Text of an object: what points into it is taken for a return address.
 * [constructor, or under the loader's lock] */
HIDDEN void error_add_code(uint64_t low, uint64_t high);
