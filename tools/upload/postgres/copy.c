/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/upload/postgres/copy.h"
#include <string.h>
#include "tools/upload/postgrest/columns.h"

static void put_null(struct buf *out)
{
    buf_add(out, "\\N", 2);
}

/* Backslash, and what ends columns and lines ("COPY", File Formats). */
static void put_text(struct buf *out, const char *text)
{
    for (;;) {
        size_t plain = strcspn(text, "\\\t\n\r");
        buf_add(out, text, plain);
        text += plain;
        if (!*text)
            return;
        const char escaped[2] = {'\\', *text == '\t'   ? 't'
                                       : *text == '\n' ? 'n'
                                       : *text == '\r' ? 'r'
                                                       : '\\'};
        buf_add(out, escaped, 2);
        text++;
    }
}

static void put_id(struct buf *out, uint64_t id)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(id >> (56 - 8 * i));
    if (id)
        buf_hex(out, bytes, sizeof bytes);
    else
        put_null(out);
}

static void put_column(struct buf *out, const struct column *c,
                       const char *base)
{
    const void *at = base + c->offset;
    int64_t number;
    uint64_t id;
    const char *text;
    switch (c->type) {
    case COLUMN_TRACE_ID:
        buf_hex(out, at, 16);
        return;
    case COLUMN_ID:
        memcpy(&id, at, sizeof id);
        put_id(out, id);
        return;
    case COLUMN_NUMBER:
    case COLUMN_BOOL:
        memcpy(&number, at, sizeof number);
        if (number == UPLOAD_NULL)
            put_null(out);
        else if (c->type == COLUMN_BOOL)
            buf_char(out, number ? 't' : 'f');
        else
            buf_number(out, number);
        return;
    default:
        memcpy(&text, at, sizeof text);
        if (text)
            put_text(out, text);
        else
            put_null(out);
    }
}

void copy_row(const struct upload_row *row, bool values, int version,
              struct buf *out)
{
    const char *base = (const char *)&row->span;
    bool is_first = true;
    for (const struct column *c = upload_columns[row->kind].column; c->name;
         c++) {
        if (!columns_has(c, values, version))
            continue;
        if (!is_first)
            buf_char(out, '\t');
        put_column(out, c, base);
        is_first = false;
    }
    buf_char(out, '\n');
}

void copy_types(enum upload_kind kind, bool values, int version,
                struct buf *out)
{
    static const char *const types[] = {
        [COLUMN_TRACE_ID] = "text", [COLUMN_ID] = "text",
        [COLUMN_NUMBER] = "bigint", [COLUMN_BOOL] = "boolean",
        [COLUMN_TEXT] = "text",     [COLUMN_JSON] = "json"};
    const char *separator = "";
    for (const struct column *c = upload_columns[kind].column; c->name; c++) {
        if (!columns_has(c, values, version))
            continue;
        buf_printf(out, "%s%s %s", separator, c->name, types[c->type]);
        separator = ", ";
    }
}
