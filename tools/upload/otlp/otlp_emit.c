/* SPDX-License-Identifier: Apache-2.0 */
/* See otlp_emit.h. */
#define _GNU_SOURCE
#include "tools/upload/otlp/otlp_emit.h"
#include <inttypes.h>
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
    while (n >= 0x80) {
        buf_char(&e->out, (char)(n | 0x80));
        n >>= 7;
    }
    buf_char(&e->out, (char)n);
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
    comma(e);
    buf_printf(&e->out, "\"%s\":", name);
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

void emit_text(struct emit *e, unsigned field, const char *name,
               const char *text)
{
    struct buf valid;
    if (!text)
        return;
    buf_init(&valid, e->out.max_bytes);
    text_valid(&valid, text);
    if (valid.failed)
        e->out.failed = true;
    if (e->encoding == EMIT_JSON) {
        member(e, name);
        quoted(e, buf_get(&valid));
    } else {
        key(e, field, WIRE_BYTES);
        varint(e, valid.len_bytes);
        buf_add(&e->out, buf_get(&valid), valid.len_bytes);
    }
    buf_free(&valid);
}

void emit_hex(struct emit *e, unsigned field, const char *name,
              const void *bytes, size_t len_bytes)
{
    const unsigned char *b = bytes;
    if (e->encoding != EMIT_JSON) {
        key(e, field, WIRE_BYTES);
        varint(e, len_bytes);
        buf_add(&e->out, bytes, len_bytes);
        return;
    }
    member(e, name);
    buf_char(&e->out, '"');
    for (size_t i = 0; i < len_bytes; i++)
        buf_printf(&e->out, "%02x", b[i]);
    buf_char(&e->out, '"');
}

void emit_fixed64(struct emit *e, unsigned field, const char *name, uint64_t n)
{
    if (e->encoding == EMIT_JSON) {
        member(e, name);
        buf_printf(&e->out, "\"%" PRIu64 "\"", n);
        return;
    }
    key(e, field, WIRE_FIXED64);
    for (int i = 0; i < 8; i++)
        buf_char(&e->out, (char)(n >> (8 * i)));
}

void emit_int64(struct emit *e, unsigned field, const char *name, int64_t n)
{
    if (e->encoding == EMIT_JSON) {
        member(e, name);
        buf_printf(&e->out, "\"%" PRId64 "\"", n);
        return;
    }
    key(e, field, WIRE_VARINT);
    varint(e, (uint64_t)n);
}

void emit_number(struct emit *e, unsigned field, const char *name, uint32_t n)
{
    if (e->encoding == EMIT_JSON) {
        member(e, name);
        buf_printf(&e->out, "%" PRIu32, n);
        return;
    }
    key(e, field, WIRE_VARINT);
    varint(e, n);
}
