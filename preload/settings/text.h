/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building short texts in memory of the caller, inside somebody else's
 * process: no malloc, no stdio, no locale. What does not fit is cut off; the
 * text always ends with NUL.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "preload/call/record/runtime.h"

struct text {
    char *bytes;
    size_t len, cap; /* cap counts the NUL */
};

/* A string, `len` bytes as they are, behind what is there: cut off at `cap`.
 * [signal-safe] */
HIDDEN void text_put(struct text *text, const char *string);
HIDDEN void text_put_bytes(struct text *text, const void *bytes, size_t len);
/* Foreign words in a line of ours: control characters and bytes that are no
 * UTF-8 come out as \n, \x1b; newlines stay if `lines`. */
HIDDEN void text_put_shown(struct text *text, const char *string, bool lines);
HIDDEN void text_put_number(struct text *text, uint64_t number);
/* `digits` lower-case hex digits; 0: as many as it needs. */
HIDDEN void text_put_hex(struct text *text, uint64_t number, unsigned digits);
/* True when nothing was cut off. */
static inline bool text_fits(const struct text *text)
{
    return text->len + 1 < text->cap;
}
/* The part behind the last slash. */
HIDDEN const char *text_basename(const char *path);
/* Decimal digits at `*at`, which moves behind them; false: none, or more
 * than fit. */
HIDDEN bool text_read_number(const char **at, uint64_t *number);
