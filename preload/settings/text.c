/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short texts without libc's stdio: see text.h. [signal-safe]
 */
#include "preload/settings/text.h"
#include "lane/format/utf8.h"
#include "lane/format/assert.h"
#include <string.h>

void text_put_bytes(struct text *text, const void *bytes, size_t len)
{
    lane_assert(text->cap == 0 || text->len < text->cap);
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
    lane_assert(base >= 2 && base <= 16);
    char buf[24];
    size_t at = sizeof(buf);
    do {
        buf[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (at > 0 && (number != 0 || sizeof(buf) - at < digits));
    text_put_bytes(text, buf + at, sizeof(buf) - at);
}

static void put_escaped(struct text *text, unsigned char c)
{
    lane_assert(text->bytes != NULL);
    if (c == '\n') {
        text_put(text, "\\n");
        return;
    }
    text_put(text, "\\x");
    text_put_hex(text, c, 2);
}

/* C0, DEL, C1, and what turns a line around. */
static bool is_control(const unsigned char *at, size_t len)
{
    switch (len) {
    case 1:
        return *at < 0x20 || *at == 0x7f;
    case 2:
        return *at == 0xc2 && at[1] < 0xa0;
    case 3:
        return *at == 0xe2 &&
               ((at[1] == 0x80 && at[2] >= 0xaa && at[2] <= 0xae) ||
                (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9));
    default:
        return len == 0;
    }
}

void text_put_shown(struct text *text, const char *string, bool lines)
{
    const unsigned char *at = (const unsigned char *)string;
    for (size_t left = strlen(string), len; left > 0; at += len, left -= len) {
        len = utf8_sequence(at, left);
        if (!is_control(at, len) || (*at == '\n' && lines)) {
            text_put_bytes(text, at, len);
        } else {
            len = len ? len : 1;
            for (size_t i = 0; i < len; i++)
                put_escaped(text, at[i]);
        }
    }
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
