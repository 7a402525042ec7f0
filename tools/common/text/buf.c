/* SPDX-License-Identifier: Apache-2.0 */
/* Growing text: see buf.h. Doubles, so that adding is linear overall. */
#include "tools/common/text/buf.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max_bytes = max_bytes};
}

void buf_free(struct buf *b)
{
    free(b->text);
    buf_init(b, b->max_bytes);
}

void buf_reset(struct buf *b)
{
    b->len_bytes = 0;
    b->failed = false;
    if (b->text)
        b->text[0] = 0;
}

char *buf_grow(struct buf *b, size_t extra)
{
    size_t want;
    if (b->failed || __builtin_add_overflow(b->len_bytes, extra, &want) ||
        want > b->max_bytes) {
        b->failed = true;
        return NULL;
    }
    if (want >= b->cap_bytes) {
        size_t cap = b->cap_bytes ? b->cap_bytes : 128;
        while (cap <= want)
            cap *= 2;
        char *text = realloc(b->text, cap);
        if (!text) {
            b->failed = true;
            return NULL;
        }
        b->text = text;
        b->cap_bytes = cap;
    }
    return b->text + b->len_bytes;
}

void buf_add(struct buf *b, const void *bytes, size_t len_bytes)
{
    char *at = buf_room(b, len_bytes);
    if (!at)
        return;
    if (len_bytes)
        memcpy(at, bytes, len_bytes);
    at[len_bytes] = 0;
    b->len_bytes += len_bytes;
}

void buf_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_count(struct buf *b, uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + n % 10);
    while (n /= 10);
    buf_add(b, digits + at, sizeof digits - at);
}

void buf_number(struct buf *b, int64_t n)
{
    if (n < 0)
        buf_char(b, '-');
    buf_count(b, n < 0 ? -(uint64_t)n : (uint64_t)n);
}

void buf_hex(struct buf *b, const void *bytes, size_t len_bytes)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = bytes;
    char *at = len_bytes <= SIZE_MAX / 2 ? buf_room(b, 2 * len_bytes) : NULL;
    if (!at)
        return;
    for (size_t i = 0; i < len_bytes; i++) {
        *at++ = digits[from[i] >> 4];
        *at++ = digits[from[i] & 15];
    }
    *at = 0;
    b->len_bytes += 2 * len_bytes;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *at = len >= 0 ? buf_room(b, (size_t)len) : NULL;
    if (at) {
        vsnprintf(at, (size_t)len + 1, format, again);
        b->len_bytes += (size_t)len;
    }
    va_end(again);
}

const char *buf_get(const struct buf *b)
{
    return b->text ? b->text : "";
}
