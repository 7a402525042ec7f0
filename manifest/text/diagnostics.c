/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages: where, what, and the nearest name. They are built by joining
 * strings because there is no printf here.
 */
#include "manifest/text/parser.h"

#include <stdarg.h>
#include <string.h>

enum {
    MESSAGE_BYTES = 512,
    LINE_BYTES = 1024,
    QUOTE_BYTES = 60
};

const char *parser_decimal(uint64_t n, char *buf)
{
    char digits[20];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + n % 10);
    while (n /= 10);
    for (size_t i = 0; i < count; i++)
        buf[i] = digits[count - 1 - i];
    buf[count] = '\0';
    return buf;
}

/* Control bytes would reach a terminal. */
static void copy_clean(char *dst, const char *src, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)src[i];
        dst[i] = (c < 0x20 && c != '\t') || c == 0x7f ? '?' : (char)c;
    }
}

const char *parser_quote(struct parser *p, const struct mark *at)
{
    uint32_t len = at->length;
    bool clipped = len > QUOTE_BYTES;
    if (clipped)
        len = QUOTE_BYTES;
    char *text = parser_alloc(p, len + 4, 1);
    if (!text)
        return "";
    copy_clean(text, at->src->text + at->offset, len);
    if (clipped)
        memcpy(text + len, "...", 3);
    return text;
}

struct manifest_position parser_position(const struct mark *at)
{
    uint32_t length = at->length;
    /* A mark over several lines is underlined on its first. */
    for (uint32_t i = 0; i < length; i++)
        if (at->src->text[at->offset + i] == '\n')
            length = i;
    return (struct manifest_position){.file = at->src->file,
                                      .line = at->line,
                                      .column = at->column,
                                      .length = length ? length : 1};
}

static const char *source_line(struct parser *p, const struct mark *at)
{
    const struct source *src = at->src;
    uint32_t start = at->offset - (at->column - 1), end = start;
    while (end < src->len_bytes && src->text[end] != '\n' &&
           end - start < LINE_BYTES)
        end++;
    if (end > start && src->text[end - 1] == '\r')
        end--;
    char *line = parser_alloc(p, end - start + 1, 1);
    if (line)
        copy_clean(line, src->text + start, end - start);
    return line;
}

static void count_message(struct parser *p, enum manifest_severity severity)
{
    if (severity == MANIFEST_ERROR) {
        p->failed = true;
        p->out->error_count++;
    } else if (severity == MANIFEST_WARNING) {
        p->out->warning_count++;
    } else if (severity == MANIFEST_NOT_YET) {
        p->out->not_yet_count++;
    }
}

void parser_report(struct parser *p, enum manifest_severity severity,
                   struct mark at, ...)
{
    char *text;
    size_t len = 0;
    va_list parts;

    if (p->fatal)
        return;
    if (p->in_types || p->is_ahead) { /* what cannot be read is not there */
        p->failed = true;
        return;
    }
    count_message(p, severity);
    if (!p->host->report || p->messages >= LIMIT_MESSAGES)
        return;
    p->messages++;
    if (!(text = parser_alloc(p, MESSAGE_BYTES, 1)))
        return;
    va_start(parts, at);
    for (const char *part; (part = va_arg(parts, const char *));)
        for (; *part && len < MESSAGE_BYTES - 1; part++)
            text[len++] = *part;
    va_end(parts);
    if (p->messages == LIMIT_MESSAGES)
        memcpy(text, "more messages follow and are not shown", 39);
    p->arena->used_bytes -= MESSAGE_BYTES - (strlen(text) + 1);
    struct manifest_diagnostic d = {.severity = severity,
                                    .at = parser_position(&at),
                                    .text = text,
                                    .line = source_line(p, &at)};
    if (!p->fatal)
        p->host->report(p->host->context, &d);
}

/* ---- the nearest name ------------------------------------------------ */

enum {
    NEAREST_MAX = 48
};

/* Edit distance with transpositions (optimal string alignment). */
static uint32_t distance(const char *a, size_t n, const char *b, size_t m)
{
    uint8_t rows[3][NEAREST_MAX + 1];
    uint8_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= m; j++)
        last[j] = (uint8_t)j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = (uint8_t)i;
        for (size_t j = 1; j <= m; j++) {
            uint32_t best = last[j - 1] + (uint32_t)(a[i - 1] != b[j - 1]);
            if (best > last[j] + 1u)
                best = last[j] + 1u;
            if (best > row[j - 1] + 1u)
                best = row[j - 1] + 1u;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && best > before[j - 2] + 1u)
                best = before[j - 2] + 1u;
            row[j] = (uint8_t)best;
        }
        uint8_t *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[m];
}

void nearest_start(struct nearest *n, const char *wanted)
{
    size_t len = strlen(wanted);
    *n = (struct nearest){.wanted = wanted, .len = len};
    /* A third of the letters may differ: `pth` finds `path`, `x` nothing. */
    n->distance = len < 3 ? (len == 2 ? 2 : 1) : (uint32_t)(len / 3) + 1;
}

void nearest_try(struct nearest *n, const char *name)
{
    size_t len = strlen(name);
    if (n->len > NEAREST_MAX || len > NEAREST_MAX)
        return;
    uint32_t d = distance(n->wanted, n->len, name, len);
    if (d < n->distance) {
        n->distance = d;
        n->best = name;
    }
}
