/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short texts without libc's stdio: see text.h. [signal-safe]
 */
#include "preload/text.h"
#include <string.h>

void text_put_bytes(struct text *text, const void *bytes, size_t len)
{
    if (text->cap == 0)
        return;
    size_t room = text->cap - 1 - text->len;
    if (len > room)
        len = room;
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
    text->bytes[text->len] = '\0';
}

void text_put(struct text *text, const char *string)
{
    text_put_bytes(text, string, strlen(string));
}

static void put_digits(struct text *text, uint64_t number, unsigned base,
                       unsigned digits)
{
    char buf[24];
    size_t at = sizeof(buf);
    do {
        buf[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (at > 0 && (number != 0 || sizeof(buf) - at < digits));
    text_put_bytes(text, buf + at, sizeof(buf) - at);
}

void text_put_number(struct text *text, uint64_t number)
{
    put_digits(text, number, 10, 0);
}

void text_put_hex(struct text *text, uint64_t number, unsigned digits)
{
    put_digits(text, number, 16, digits);
}

const char *text_basename(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool text_read_number(const char **at, uint64_t *number)
{
    uint64_t value = 0;
    const char *digit = *at;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*digit - '0'), &value))
            return false;
    }
    if (digit == *at)
        return false;
    *at = digit;
    *number = value;
    return true;
}
