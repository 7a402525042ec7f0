/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The usual frame to JSON in one pass: a few numbers and short plain texts,
 * whole, nothing to say of them. Byte for byte what decode.c makes by way of
 * cJSON (the test compares them); whatever is not usual is left to it.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include "tools/sidecar/decode/decode_internal.h"
#include "lane/format/assert.h"

enum {
    QUICK_BYTES = 2048, /* of JSON */
    NUMBER_BYTES = 64,  /* as value_json_bytes() estimates */
};
struct out {
    char text[QUICK_BYTES];
    size_t len;
    size_t most; /* of one value with its key, as decode.c estimates */
    bool failed;
};

static void put(struct out *o, const void *bytes, size_t len)
{
    lane_assert(o->len <= sizeof o->text);
    if (len > sizeof o->text - o->len) {
        o->failed = true;
        return;
    }
    memcpy(o->text + o->len, bytes, len);
    o->len += len;
}

/* Quoted, if nothing in it needs more than that. */
static void put_plain(struct out *o, const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < 0x20 || text[i] > 0x7e || text[i] == '"' ||
            text[i] == '\\')
            o->failed = true;
    put(o, "\"", 1);
    put(o, text, len);
    put(o, "\"", 1);
}

static void put_unsigned(struct out *o, uint64_t n, unsigned base)
{
    lane_assert(base >= 2 && base <= 16);
    char digits[24], *at = digits + sizeof digits;
    do
        *--at = "0123456789abcdef"[n % base];
    while (n /= base);
    put(o, at, (size_t)(digits + sizeof digits - at));
}

static void put_number(struct out *o, const struct lane_value *v,
                       const uint8_t *bytes)
{
    int64_t n =
        value_integer(bytes, v->len_bytes, v->type == LANE_VALUE_SIGNED);
    switch (v->type) {
    case LANE_VALUE_SIGNED:
        if (n < 0)
            put(o, "-", 1);
        put_unsigned(o, n < 0 ? -(uint64_t)n : (uint64_t)n, 10);
        return;
    case LANE_VALUE_UNSIGNED:
        put_unsigned(o, (uint64_t)n, 10);
        return;
    case LANE_VALUE_BOOL:
        put(o, n ? "true" : "false", n ? 4 : 5);
        return;
    case LANE_VALUE_POINTER:
        if (n == 0) {
            put(o, "null", 4);
            return;
        }
        put(o, "\"0x", 3);
        put_unsigned(o, (uint64_t)n, 16);
        put(o, "\"", 1);
        return;
    default:
        o->failed = true;
    }
}

/* Bytes of the payload that it took. */
static size_t put_value(struct out *o, const struct decode_site *site,
                        const uint8_t *at, size_t left)
{
    struct lane_value v;
    if (left < sizeof v) {
        o->failed = true;
        return 0;
    }
    memcpy(&v, at, sizeof v);
    size_t padded = ((size_t)v.len_bytes + 7) & ~(size_t)7;
    left -= sizeof v;
    if (v.flags || v.item >= site->count || v.len_bytes > left ||
        site->item[v.item].direction == LANE_ATTRIBUTE) {
        o->failed = true;
        return 0;
    }
    const char *key = site->item[v.item].key;
    size_t key_bytes = strlen(key), most = key_bytes + 4;
    put(o, o->len ? "," : "{", 1);
    put_plain(o, (const void *)key, key_bytes);
    put(o, ":", 1);
    if (v.type == LANE_VALUE_TEXT) {
        put_plain(o, at + sizeof v, v.len_bytes);
        most += (size_t)v.len_bytes + 5; /* quotes and an ellipsis */
    } else {
        put_number(o, &v, at + sizeof v);
        most += NUMBER_BYTES;
    }
    o->most = most > o->most ? most : o->most;
    return sizeof v + (padded < left ? padded : left);
}

char *decode_quick(const struct decode_site *site,
                   const struct decode_frame *frame)
{
    lane_assert(site != NULL && frame != NULL);
    struct out o;
    o.len = o.most = 0;
    o.failed = false;
    size_t at = 0;
    if (!frame->payload || frame->count == 0)
        return NULL;
    if (frame->site)
        site = frame->site;
    for (uint32_t i = 0; i < frame->count && !o.failed; i++)
        at += put_value(&o, site, frame->payload + at, frame->len_bytes - at);
    lane_assert(at <= frame->len_bytes);
    put(&o, "}", 1);
    size_t cap = site->cap_bytes && site->cap_bytes < DECODE_CAP
                     ? site->cap_bytes
                     : DECODE_CAP;
    /* each fits into an equal part: then the other way leaves nothing out */
    if (o.failed || o.most * frame->count + 2 > cap)
        return NULL;
    lane_assert(o.len >= 2);
    return strndup(o.text, o.len);
}
