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

/* Room for `extra` bytes and a NUL. */
static bool reserve(struct buf *b, size_t extra)
{
    size_t want;
    if (b->failed || __builtin_add_overflow(b->len_bytes, extra, &want) ||
        want > b->max_bytes) {
        b->failed = true;
        return false;
    }
    if (want < b->cap_bytes)
        return true;
    size_t cap = b->cap_bytes ? b->cap_bytes : 128;
    while (cap <= want)
        cap *= 2;
    char *text = realloc(b->text, cap);
    if (!text) {
        b->failed = true;
        return false;
    }
    b->text = text;
    b->cap_bytes = cap;
    return true;
}

void buf_add(struct buf *b, const void *bytes, size_t len_bytes)
{
    if (!reserve(b, len_bytes))
        return;
    if (len_bytes)
        memcpy(b->text + b->len_bytes, bytes, len_bytes);
    b->len_bytes += len_bytes;
    b->text[b->len_bytes] = 0;
}

void buf_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len >= 0 && reserve(b, (size_t)len)) {
        vsnprintf(b->text + b->len_bytes, (size_t)len + 1, format, again);
        b->len_bytes += (size_t)len;
    }
    va_end(again);
}

const char *buf_get(const struct buf *b)
{
    return b->text ? b->text : "";
}
