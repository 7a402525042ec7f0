/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing piece of text with a ceiling. Errors stick: after a failed
 * addition everything further is ignored and buf_failed() says so, so that
 * callers check once, at the end. Tools only; never in the traced process.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *text; /* NUL-terminated once anything was added; else NULL */
    size_t len_bytes, cap_bytes, max_bytes;
    bool failed;
};

/* Only for buf_room(). */
char *buf_grow(struct buf *b, size_t extra_bytes);
/* Where to write so many bytes, which the caller then adds to len_bytes, and a
 * NUL behind them; NULL: it has failed. */
static inline char *buf_room(struct buf *b, size_t extra_bytes)
{
    return !b->failed && extra_bytes < b->cap_bytes - b->len_bytes &&
                   extra_bytes <= b->max_bytes - b->len_bytes
               ? b->text + b->len_bytes
               : buf_grow(b, extra_bytes);
}
/* Empty, and never more than max_bytes long. */
void buf_init(struct buf *b, size_t max_bytes);
void buf_free(struct buf *b);
/* Length 0 again, memory and ceiling kept, a failure forgotten. */
void buf_reset(struct buf *b);
void buf_add(struct buf *b, const void *bytes, size_t len_bytes);
void buf_text(struct buf *b, const char *text);
void buf_char(struct buf *b, char c);
/* In decimal; in hex, two digits a byte. */
void buf_number(struct buf *b, int64_t n);
void buf_count(struct buf *b, uint64_t n);
void buf_hex(struct buf *b, const void *bytes, size_t len_bytes);
void buf_printf(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The text; "" when nothing was added. Valid until the next change. */
const char *buf_get(const struct buf *b);
