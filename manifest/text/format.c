/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A diagnostic as compilers print it: position and text, the source line, a
 * caret under the place.
 */
#include "manifest/text/parser.h"

#include <string.h>

enum {
    SHOWN_BYTES = 200
}; /* of a source line */

struct writer {
    char *buf;
    size_t cap, len;
};

static void put(struct writer *w, char c)
{
    if (w->len + 1 < w->cap)
        w->buf[w->len] = c;
    w->len++;
}

static void put_text(struct writer *w, const char *text)
{
    while (*text)
        put(w, *text++);
}

static void put_number(struct writer *w, uint64_t n, size_t width)
{
    char buf[21];
    size_t len = strlen(parser_decimal(n, buf));
    for (; len < width; width--)
        put(w, ' ');
    put_text(w, buf);
}

static void put_source(struct writer *w, const struct manifest_diagnostic *d)
{
    size_t len = strlen(d->line), column = d->at.column, length = d->at.length;
    if (len > SHOWN_BYTES)
        len = SHOWN_BYTES;
    put_number(w, d->at.line, 5);
    put_text(w, " | ");
    for (size_t i = 0; i < len; i++)
        put(w, d->line[i]);
    put_text(w, "\n");
    if (column > len + 1)
        return;
    put_text(w, "      | ");
    for (size_t i = 0; i + 1 < column; i++) {
        /* A tab keeps its width, a UTF-8 continuation byte has none. */
        if (d->line[i] == '\t')
            put(w, '\t');
        else if ((d->line[i] & 0xc0) != 0x80)
            put(w, ' ');
    }
    put(w, '^');
    for (size_t i = column; i < column - 1 + length && i < len; i++)
        if ((d->line[i] & 0xc0) != 0x80)
            put(w, '~');
    put_text(w, "\n");
}

size_t manifest_format_diagnostic(const struct manifest_diagnostic *d,
                                  char *buf, size_t cap_bytes)
{
    static const char names[][10] = {"note", "not yet", "warning", "error"};
    struct writer w = {.buf = buf, .cap = cap_bytes};
    put_text(&w, d->at.file ? d->at.file : "(no file)");
    put(&w, ':');
    put_number(&w, d->at.line, 0);
    put(&w, ':');
    put_number(&w, d->at.column, 0);
    put_text(&w, ": ");
    put_text(&w, names[d->severity & 3]);
    put_text(&w, ": ");
    put_text(&w, d->text);
    put_text(&w, "\n");
    if (d->line)
        put_source(&w, d);
    if (cap_bytes)
        buf[w.len < cap_bytes ? w.len : cap_bytes - 1] = '\0';
    return w.len;
}
