/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captured bytes of a span to JSON: input, output, attributes, capture marks,
 * error. The bytes are hostile; whatever they are, the result is valid JSON in
 * valid UTF-8 and at most 50,000 bytes for each of input and output.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include "lane/reader/reader.h"

enum {
    DECODE_CAP = 50000, /* bytes of serialized JSON of an input or output */
};

/* An item of a site, its strings read. */
struct decode_item {
    char *key; /* valid UTF-8 */
    uint8_t direction, type, size_bytes;
    bool is_unsigned; /* an enum of no sign */
    int64_t value;
};
struct decode_site {
    const struct decode_item *item;
    uint32_t count;
    uint32_t cap_bytes; /* of the manifest; 0: DECODE_CAP */
    const char *name;   /* of the handler, for the error's fingerprint */
};

/* A frame of a span as it was copied from the log; NULL payload: none. */
struct decode_frame {
    const uint8_t *payload;
    uint32_t len_bytes;
    uint16_t count;
    const struct decode_site *site; /* whose items; NULL: the span's */
};

/* What an error has besides its own frame: JSON texts (`stderr_text` is plain),
 * each malloc'ed or NULL. */
enum {
    DECODE_GROUPS = 128
};
/* The groups of errors that a session has had: see error.c. */
struct decode_groups {
    struct decode_group {
        uint64_t base; /* 0: free */
        char fingerprint[24];
        bool are_several;
    } known[DECODE_GROUPS];
};
struct decode_context {
    struct decode_groups *groups; /* not owned; NULL: each error by itself */
    char *cause, *origin, *stack, *stderr_text;
    const char
        *withheld; /* why words are missing, not owned; NULL: no reason */
    char origin_ended[64];   /* the same of `origin`, or "" */
    const char *stack_ended; /* why `stack` goes no further, NULL: whole */
    char type[512], message[2048]; /* of the exception it came from, or "" */
    /* why inputs (attributes, too) or outputs are missing; NULL: none are */
    const char *input_lost, *output_lost;
    uint32_t site; /* of the innermost call, where a process ended; 0: none */
    uint64_t open_ref; /* its reference; 0: not known */
    bool was_left;     /* by longjmp: its own frame is part of `stack` */
    bool has_signal;   /* this span is where a fatal signal came */
    int32_t signal, signal_code;
    uint64_t fault_address;
};
void decode_context_free(struct decode_context *context);

/* JSON texts, each malloc'ed or NULL (nothing there). Of the error also what
 * makes its group; fingerprint "": no error. */
struct decode_result {
    char *input, *output, *attributes, *capture, *error;
    char fingerprint[24];
    const char *error_kind; /* static */
    char *error_type, *error_rule;
};
void decode_free(struct decode_result *result);

/*
 * Any of the frames may be empty, `context` may be NULL; `later` is output as
 * well. `wall_step_ns` other than 0 is noted in the attributes. 0; -ENOMEM;
 * -EBADMSG: a frame contradicts itself (what could be read is in the result all
 * the same).
 */
int decode_span(const struct decode_site *site,
                const struct decode_frame *input,
                const struct decode_frame *output,
                const struct decode_frame *later,
                const struct decode_frame *error,
                const struct decode_context *context, int64_t wall_step_ns,
                struct decode_result *result)
    __attribute__((warn_unused_result));
