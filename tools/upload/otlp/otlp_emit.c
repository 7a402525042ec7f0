/* SPDX-License-Identifier: Apache-2.0 */
/* See otlp_emit.h. */
#define _GNU_SOURCE
#include "tools/upload/otlp/otlp_emit.h"
#include <string.h>
#include "tools/common/text/text.h"

enum {
    LENGTH_BYTES = 4, /* 28 bits */
};
enum wire {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
};

static void varint(struct emit *e, uint64_t n)
{
    char bytes[10];
    size_t len = 0;
    for (; n >= 0x80; n >>= 7)
        bytes[len++] = (char)(n | 0x80);
    bytes[len++] = (char)n;
    buf_add(&e->out, bytes, len);
}

static void key(struct emit *e, unsigned field, enum wire wire)
{
    varint(e, (uint64_t)field << 3 | wire);
}

/* ---- JSON ---------------------------------------------------------------- */

static void comma(struct emit *e)
{
    if (e->has_members[e->level])
        buf_char(&e->out, ',');
    e->has_members[e->level] = true;
}

static void member(struct emit *e, const char *name)
{
    size_t len = strlen(name);
    char *at = buf_room(&e->out, len + 4);
    if (!at)
        return;
    bool is_next = e->has_members[e->level];
    e->has_members[e->level] = true;
    e->out.len_bytes += len + 3 + is_next;
    if (is_next)
        *at++ = ',';
    *at++ = '"';
    memcpy(at, name, len);
    memcpy(at + len, "\":", 3);
}

static void bracket(struct emit *e, char c)
{
    buf_char(&e->out, c);
    if (e->level + 1 < sizeof e->has_members)
        e->level++;
    else
        e->out.failed = true;
    e->has_members[e->level] = false;
}

static void bracket_end(struct emit *e, char c)
{
    buf_char(&e->out, c);
    e->level -= e->level > 0;
}

/* Bytes of a text that JSON has as they are, if all of it is such: ASCII. */
static bool is_plain(const char *text, size_t *len_bytes)
{
    const unsigned char *c = (const unsigned char *)text;
    while (*c >= 0x20 && *c < 0x80 && *c != '"' && *c != '\\')
        c++;
    *len_bytes = (size_t)(c - (const unsigned char *)text);
    return *c == 0;
}

static void quoted_plain(struct emit *e, const char *text, size_t len)
{
    char *at = buf_room(&e->out, len + 2);
    if (!at)
        return;
    *at++ = '"';
    memcpy(at, text, len);
    memcpy(at + len, "\"", 2);
    e->out.len_bytes += len + 2;
}

static void quoted(struct emit *e, const char *text)
{
    buf_char(&e->out, '"');
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_char(&e->out, '\\');
        if ((unsigned char)*c < 0x20)
            buf_printf(&e->out, "\\u%04x", *c);
        else
            buf_char(&e->out, *c);
    }
    buf_char(&e->out, '"');
}

/* ---- messages ------------------------------------------------------------ */

static void begin(struct emit *e)
{
    if (e->encoding == EMIT_JSON) {
        bracket(e, '{');
        return;
    }
    static const char room[LENGTH_BYTES];
    if (e->depth == EMIT_DEPTH) {
        e->out.failed = true;
        return;
    }
    buf_add(&e->out, room, sizeof room);
    e->start[e->depth++] = e->out.len_bytes;
}

void emit_close(struct emit *e)
{
    if (e->encoding == EMIT_JSON) {
        bracket_end(e, '}');
        return;
    }
    if (e->depth == 0 || e->out.failed)
        return;
    size_t start = e->start[--e->depth];
    size_t len = e->out.len_bytes - start;
    if (len >> (7 * LENGTH_BYTES)) {
        e->out.failed = true;
        return;
    }
    for (int i = 0; i < LENGTH_BYTES; i++, len >>= 7)
        e->out.text[start - LENGTH_BYTES + (size_t)i] =
            (char)((len & 0x7f) | (i < LENGTH_BYTES - 1 ? 0x80 : 0));
}

void emit_begin(struct emit *e, enum emit_encoding encoding, size_t max_bytes)
{
    *e = (struct emit){.encoding = encoding};
    buf_init(&e->out, max_bytes);
    if (encoding == EMIT_JSON)
        bracket(e, '{');
}

void emit_end(struct emit *e)
{
    if (e->encoding == EMIT_JSON)
        bracket_end(e, '}');
}

void emit_free(struct emit *e)
{
    buf_free(&e->out);
}

void emit_open(struct emit *e, unsigned field, const char *name)
{
    if (e->encoding == EMIT_JSON)
        member(e, name);
    else
        key(e, field, WIRE_BYTES);
    begin(e);
}

void emit_list(struct emit *e, const char *name)
{
    if (e->encoding != EMIT_JSON)
        return;
    member(e, name);
    bracket(e, '[');
}

void emit_item(struct emit *e, unsigned field)
{
    if (e->encoding == EMIT_JSON)
        comma(e);
    else
        key(e, field, WIRE_BYTES);
    begin(e);
}

void emit_list_end(struct emit *e)
{
    if (e->encoding == EMIT_JSON)
        bracket_end(e, ']');
}

/* ---- fields -------------------------------------------------------------- */

static void put_text(struct emit *e, unsigned field, const char *name,
                     const char *text, size_t len, bool is_plain)
{
    if (e->encoding != EMIT_JSON) {
        key(e, field, WIRE_BYTES);
        varint(e, len);
        buf_add(&e->out, text, len);
        return;
    }
    member(e, name);
    if (is_plain)
        quoted_plain(e, text, len);
    else
        quoted(e, text);
}

void emit_text(struct emit *e, unsigned field, const char *name,
               const char *text)
{
    struct buf valid;
    size_t len;
    if (!text)
        return;
    if (is_plain(text, &len)) {
        put_text(e, field, name, text, len, true);
        return;
    }
    buf_init(&valid, e->out.max_bytes);
    text_valid(&valid, text);
    if (valid.failed)
        e->out.failed = true;
    put_text(e, field, name, buf_get(&valid), valid.len_bytes, false);
    buf_free(&valid);
}

void emit_hex(struct emit *e, unsigned field, const char *name,
              const void *bytes, size_t len_bytes)
{
    if (e->encoding != EMIT_JSON) {
        key(e, field, WIRE_BYTES);
        varint(e, len_bytes);
        buf_add(&e->out, bytes, len_bytes);
        return;
    }
    member(e, name);
    buf_char(&e->out, '"');
    buf_hex(&e->out, bytes, len_bytes);
    buf_char(&e->out, '"');
}

void emit_fixed64(struct emit *e, unsigned field, const char *name, uint64_t n)
{
    if (e->encoding == EMIT_JSON) {
        member(e, name);
        buf_char(&e->out, '"');
        buf_count(&e->out, n);
        buf_char(&e->out, '"');
        return;
    }
    key(e, field, WIRE_FIXED64);
    char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(n >> (8 * i));
    buf_add(&e->out, bytes, sizeof bytes);
}

void emit_int64(struct emit *e, unsigned field, const char *name, int64_t n)
{
    if (e->encoding == EMIT_JSON) {
        member(e, name);
        buf_char(&e->out, '"');
        buf_number(&e->out, n);
        buf_char(&e->out, '"');
        return;
    }
    key(e, field, WIRE_VARINT);
    varint(e, (uint64_t)n);
}

void emit_number(struct emit *e, unsigned field, const char *name, uint32_t n)
{
    if (e->encoding == EMIT_JSON) {
        member(e, name);
        buf_count(&e->out, n);
        return;
    }
    key(e, field, WIRE_VARINT);
    varint(e, n);
}

/* ---- attributes ---------------------------------------------------------- */

static size_t varint_bytes(uint64_t n)
{
    size_t len = 1;
    for (; n >= 0x80; n >>= 7)
        len++;
    return len;
}

static char *put_varint(char *at, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        *at++ = (char)(n | 0x80);
    *at++ = (char)n;
    return at;
}

static char *put_tag(char *at, unsigned field, enum wire wire, uint64_t n)
{
    return put_varint(put_varint(at, (uint64_t)field << 3 | wire), n);
}

/* Protobuf, whose lengths are all known before: KeyValue { key = 1; value = 2
 * }, its AnyValue being `value_bytes` that the caller writes. Returns where. */
static char *begin_attribute(struct emit *e, unsigned field, const char *name,
                             size_t value_bytes)
{
    size_t name_bytes = strlen(name);
    size_t body = 1 + varint_bytes(name_bytes) + name_bytes + 1 +
                  varint_bytes(value_bytes) + value_bytes;
    size_t head = varint_bytes((uint64_t)field << 3) + varint_bytes(body);
    char *at = buf_room(&e->out, head + body);
    if (!at)
        return NULL;
    at[head + body] = 0;
    e->out.len_bytes += head + body;
    at = put_tag(at, field, WIRE_BYTES, body);
    at = put_tag(at, 1, WIRE_BYTES, name_bytes);
    memcpy(at, name, name_bytes);
    return put_tag(at + name_bytes, 2, WIRE_BYTES, value_bytes);
}

void emit_attribute_text(struct emit *e, unsigned field, const char *name,
                         const char *text)
{
    size_t len;
    if (!text)
        return;
    if (e->encoding == EMIT_PROTOBUF && is_plain(text, &len)) {
        char *at = begin_attribute(e, field, name, 1 + varint_bytes(len) + len);
        if (at)
            memcpy(put_tag(at, 1, WIRE_BYTES, len), text, len);
        return;
    }
    emit_item(e, field);
    emit_text(e, 1, "key", name);
    emit_open(e, 2, "value");
    emit_text(e, 1, "stringValue", text);
    emit_close(e);
    emit_close(e);
}

void emit_attribute_int(struct emit *e, unsigned field, const char *name,
                        int64_t n)
{
    if (e->encoding == EMIT_PROTOBUF) {
        char *at =
            begin_attribute(e, field, name, 1 + varint_bytes((uint64_t)n));
        if (at)
            put_tag(at, 3, WIRE_VARINT, (uint64_t)n);
        return;
    }
    emit_item(e, field);
    emit_text(e, 1, "key", name);
    emit_open(e, 2, "value");
    emit_int64(e, 3, "intValue", n);
    emit_close(e);
    emit_close(e);
}
