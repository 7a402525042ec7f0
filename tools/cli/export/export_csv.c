/* SPDX-License-Identifier: Apache-2.0 */
/* Comma-separated values (RFC 4180) with the columns of the table `spans` of
 * sql/postgres/, so that COPY ... CSV HEADER takes them: an empty cell is null,
 * "" an empty text. */
#include "tools/cli/export/export.h"
#include "tools/common/text/text.h"
#include "tools/upload/postgrest/columns.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A row is a line, also for who splits at lines. */
static void put_text(FILE *out, const char *name)
{
    struct buf line;
    buf_init(&line, SIZE_MAX / 2);
    text_escape(&line, name);
    const char *text = buf_get(&line);
    bool is_quoted = !*text || strpbrk(text, ",\"\r\n");
    if (is_quoted)
        fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    if (is_quoted)
        fputc('"', out);
    buf_free(&line);
}

static void put_cell(FILE *out, const struct column *c, const char *base)
{
    const void *at = base + c->offset;
    const uint8_t *bytes = at;
    int64_t number;
    uint64_t id;
    const char *text;
    switch (c->type) {
    case COLUMN_TRACE_ID:
        for (int i = 0; i < 16; i++)
            fprintf(out, "%02x", bytes[i]);
        return;
    case COLUMN_ID:
        memcpy(&id, at, sizeof id);
        if (id)
            fprintf(out, "%016" PRIx64, id);
        return;
    case COLUMN_NUMBER:
    case COLUMN_BOOL:
        memcpy(&number, at, sizeof number);
        if (number != UPLOAD_NULL)
            fprintf(out, "%" PRId64, number);
        return;
    case COLUMN_TEXT:
    case COLUMN_JSON:
        memcpy(&text, at, sizeof text);
        if (text)
            put_text(out, text);
        return;
    }
}

int export_csv_head(FILE *out, bool values)
{
    struct buf names;
    buf_init(&names, 1 << 16);
    columns_names(UPLOAD_SPANS, values, COLUMNS_NEWEST, &names);
    fprintf(out, "%s\r\n", buf_get(&names));
    int err = names.failed ? -ENOMEM : ferror(out) ? -EIO : 0;
    buf_free(&names);
    return err;
}

int export_csv_row(FILE *out, const struct upload_span *span, bool values)
{
    const char *separator = "";
    for (const struct column *c = upload_columns[UPLOAD_SPANS].column; c->name;
         c++) {
        if (c->is_value && !values)
            continue;
        fputs(separator, out);
        put_cell(out, c, (const char *)span);
        separator = ",";
    }
    fputs("\r\n", out);
    return ferror(out) ? -EIO : 0;
}
