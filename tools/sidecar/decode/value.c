/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One captured value as JSON. Integers are raw digits (cJSON's numbers are
 * doubles), text is cleaned, bytes are base64. A value that is too long keeps
 * three quarters from its beginning and one from its end, joined by U+2026
 * (text) or as they are (bytes; capture.head_bytes says where).
 */
#define _GNU_SOURCE
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "lane/format/utf8.h"
#include "tools/sidecar/decode/decode_internal.h"
#include "lane/format/assert.h"

static const char ellipsis[] = "\xe2\x80\xa6";

enum {
    ELLIPSIS_BYTES = sizeof ellipsis - 1,
    REPLACEMENT_BYTES = 3,
};

/* Bytes that one character takes in cJSON's output. */
static size_t escaped(unsigned char c)
{
    if (c == '"' || c == '\\' || c == '\b' || c == '\f' || c == '\n' ||
        c == '\r' || c == '\t')
        return 2;
    return c < 0x20 ? 6 : 1;
}

size_t value_text_bytes(const char *text, size_t len_bytes)
{
    size_t sum = 2;
    for (size_t i = 0; i < len_bytes; i++)
        sum += escaped((unsigned char)text[i]);
    return sum;
}

/* Serialized bytes of the piece of raw text at `at`, and its raw length. */
static size_t piece(const uint8_t *at, size_t len_bytes, size_t *raw)
{
    lane_assert(len_bytes != 0);
    size_t len = utf8_sequence(at, len_bytes);
    *raw = len ? len : 1;
    if (len == 0)
        return REPLACEMENT_BYTES;
    if (len > 1)
        return len;
    return at[0] == 0 ? 0 : escaped(at[0]);
}

static size_t raw_text_bytes(const uint8_t *bytes, size_t len_bytes)
{
    size_t sum = 0, raw;
    for (size_t i = 0; i < len_bytes; i += raw)
        sum += piece(bytes + i, len_bytes - i, &raw);
    return sum;
}

static bool is_absent(const struct decode_value *v)
{
    return (v->flags & LANE_VALUE_NULL) ||
           ((v->flags & LANE_VALUE_UNREADABLE) && v->len_bytes == 0);
}

bool value_can_shrink(const struct decode_value *v)
{
    return !is_absent(v) &&
           (v->type == LANE_VALUE_TEXT || v->type == LANE_VALUE_BYTES);
}

/* Where the head of a truncated value ends (lane_value.len_bytes). */
static uint32_t head_of(const struct decode_value *v)
{
    lane_assert(v->len_bytes == 0 || v->bytes != NULL);
    if (!(v->flags & LANE_VALUE_TRUNCATED))
        return v->len_bytes;
    return (uint32_t)((uint64_t)v->len_bytes * 3 / 4);
}

size_t value_json_bytes(const struct decode_value *v)
{
    if (is_absent(v))
        return 4;
    if (v->type == LANE_VALUE_TEXT)
        return raw_text_bytes(v->bytes, v->len_bytes) + 2 + ELLIPSIS_BYTES;
    if (v->type == LANE_VALUE_BYTES)
        return ((size_t)v->len_bytes + 2) / 3 * 4 + 2;
    return 64; /* a number, or a name: enum names are cut to fit */
}

/* ---- text ------------------------------------------------------------- */

/* Raw bytes of the beginning that serialize to at most `room`. */
static size_t fit_head(const uint8_t *bytes, size_t len_bytes, size_t room)
{
    lane_assert(len_bytes == 0 || bytes != NULL);
    size_t i = 0, sum = 0, raw;
    while (i < len_bytes) {
        size_t json = piece(bytes + i, len_bytes - i, &raw);
        if (sum + json > room)
            break;
        sum += json;
        i += raw;
    }
    return i;
}

/* Where an end that serializes to at most `room` begins; between characters. */
static size_t fit_tail(const uint8_t *bytes, size_t from, size_t len_bytes,
                       size_t room)
{
    lane_assert(from <= len_bytes);
    size_t sum = raw_text_bytes(bytes + from, len_bytes - from), raw;
    while (from < len_bytes && sum > room) {
        sum -= piece(bytes + from, len_bytes - from, &raw);
        from += raw;
    }
    return from;
}

static cJSON *text_json(struct decode_value *v)
{
    size_t head = head_of(v), tail = head;
    lane_assert(head <= v->len_bytes);
    bool cut = (v->flags & LANE_VALUE_TRUNCATED) != 0;
    if (v->json_bytes > v->room_bytes) {
        size_t room = v->room_bytes - 2 - ELLIPSIS_BYTES;
        size_t fits = fit_head(v->bytes, head, room * 3 / 4);
        tail = fit_tail(v->bytes, fits > head ? fits : head, v->len_bytes,
                        room / 4);
        if (!cut) /* one whole text: its tail may begin anywhere after */
            tail = fit_tail(v->bytes, fits, v->len_bytes, room / 4);
        head = fits;
        cut = v->is_cut = true;
    }
    v->head_bytes = (uint32_t)head;
    size_t most = ((size_t)v->len_bytes + 1) * UTF8_GROWTH + ELLIPSIS_BYTES + 1;
    char *text = malloc(most);
    if (!text)
        return cJSON_CreateNull();
    size_t bad_head = 0, bad_tail = 0;
    size_t n = utf8_clean(v->bytes, head, text, most, &bad_head);
    if (cut) {
        memcpy(text + n, ellipsis, ELLIPSIS_BYTES);
        n += ELLIPSIS_BYTES;
        utf8_clean(v->bytes + tail, v->len_bytes - tail, text + n, most - n,
                   &bad_tail);
    }
    v->replaced = bad_head + bad_tail;
    cJSON *json = cJSON_CreateString(text);
    free(text);
    return json;
}

/* ---- bytes ------------------------------------------------------------ */

static char *base64(const uint8_t *head, size_t head_bytes, const uint8_t *tail,
                    size_t tail_bytes)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
                                "uvwxyz0123456789+/";
    size_t len = head_bytes + tail_bytes;
    char *out = malloc((len + 2) / 3 * 4 + 1);
    size_t n = 0;
    for (size_t i = 0; out && i < len; i += 3) {
        uint32_t group = 0;
        for (size_t j = i; j < i + 3; j++) {
            uint32_t byte = j < head_bytes ? head[j]
                            : j < len      ? tail[j - head_bytes]
                                           : 0;
            group = group << 8 | byte;
        }
        out[n++] = digit[group >> 18];
        out[n++] = digit[group >> 12 & 63];
        out[n++] = i + 1 < len ? digit[group >> 6 & 63] : '=';
        out[n++] = i + 2 < len ? digit[group & 63] : '=';
    }
    if (out)
        out[n] = 0;
    return out;
}

static cJSON *bytes_json(struct decode_value *v)
{
    size_t head = head_of(v), tail = v->len_bytes - head;
    if (v->json_bytes > v->room_bytes) {
        size_t room = (v->room_bytes - 2) / 4 * 3;
        head = room * 3 / 4 < head ? room * 3 / 4 : head;
        tail = room / 4;
        v->is_cut = true;
    }
    v->head_bytes = (uint32_t)head;
    char *text = base64(v->bytes, head, v->bytes + v->len_bytes - tail, tail);
    cJSON *json = text ? cJSON_CreateString(text) : cJSON_CreateNull();
    free(text);
    return json;
}

/* ---- numbers ----------------------------------------------------------- */

int64_t value_integer(const uint8_t *bytes, uint32_t len_bytes, bool is_signed)
{
    uint64_t n = 0;
    if (len_bytes > 8)
        len_bytes = 8;
    memcpy(&n, bytes, len_bytes);
    if (is_signed && len_bytes > 0 && len_bytes < 8 &&
        (n >> (len_bytes * 8 - 1) & 1))
        n |= ~0ULL << (len_bytes * 8);
    return (int64_t)n;
}

/* The shortest digits that give the same number again. */
static cJSON *real_json(long double x, int most_digits)
{
    char text[64];
    if (isnan(x) || isinf(x))
        return cJSON_CreateString(isnan(x) ? "NaN"
                                  : x > 0  ? "Infinity"
                                           : "-Infinity");
    for (int digits = most_digits - 3; digits <= most_digits; digits++) {
        snprintf(text, sizeof text, "%.*Lg", digits, x);
        bool same = most_digits == 9    ? strtof(text, NULL) == (float)x
                    : most_digits == 17 ? strtod(text, NULL) == (double)x
                                        : strtold(text, NULL) == x;
        if (same)
            break;
    }
    return cJSON_CreateRaw(text);
}

static cJSON *float_json(const struct decode_value *v)
{
    float f = 0;
    double d = 0;
    long double e = 0;
    if (v->type == LANE_VALUE_F32 && v->len_bytes >= sizeof f) {
        memcpy(&f, v->bytes, sizeof f);
        return real_json((long double)f, 9);
    }
    if (v->type == LANE_VALUE_F64 && v->len_bytes >= sizeof d) {
        memcpy(&d, v->bytes, sizeof d);
        return real_json((long double)d, 17);
    }
    if (v->type == LANE_VALUE_F80 && v->len_bytes >= 10) {
        memcpy(&e, v->bytes, 10);
        return real_json(e, 21);
    }
    return cJSON_CreateNull();
}

/* The constant's name; the number as text if it is none of them. */
static cJSON *enum_json(const struct decode_value *v, int64_t number)
{
    lane_assert(v->item != NULL);
    uint32_t i = (uint32_t)(v->item - v->site->item) + 1;
    char text[64];
    for (; i < v->site->count; i++) {
        const struct decode_item *item = &v->site->item[i];
        if (item->direction != LANE_ENUM)
            break;
        if (item->value == number) {
            snprintf(text, sizeof text - 4, "%s", item->key);
            return cJSON_CreateString(text);
        }
    }
    if (v->item->is_unsigned)
        snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    else
        snprintf(text, sizeof text, "%lld", (long long)number);
    return cJSON_CreateString(text);
}

static cJSON *number_json(const struct decode_value *v)
{
    char text[32];
    bool is_signed = v->type == LANE_VALUE_SIGNED || v->type == LANE_VALUE_ENUM;
    int64_t n = value_integer(v->bytes, v->len_bytes, is_signed);
    switch (v->type) {
    case LANE_VALUE_BOOL:
        return cJSON_CreateBool(n != 0);
    case LANE_VALUE_POINTER:
        if (n == 0)
            return cJSON_CreateNull();
        snprintf(text, sizeof text, "0x%llx", (unsigned long long)n);
        return cJSON_CreateString(text);
    case LANE_VALUE_ENUM:
        return enum_json(v, n);
    case LANE_VALUE_SIGNED:
        snprintf(text, sizeof text, "%lld", (long long)n);
        return cJSON_CreateRaw(text);
    case LANE_VALUE_UNSIGNED:
        snprintf(text, sizeof text, "%llu", (unsigned long long)n);
        return cJSON_CreateRaw(text);
    default:
        return cJSON_CreateNull();
    }
}

struct cJSON *value_json(struct decode_value *v)
{
    lane_assert(v->item != NULL && v->site != NULL);
    if (is_absent(v))
        return cJSON_CreateNull();
    switch (v->type) {
    case LANE_VALUE_TEXT:
        return text_json(v);
    case LANE_VALUE_BYTES:
        return bytes_json(v);
    case LANE_VALUE_F32:
    case LANE_VALUE_F64:
    case LANE_VALUE_F80:
        return float_json(v);
    default:
        return number_json(v);
    }
}
