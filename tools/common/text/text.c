/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign text on a terminal, and nearest names; see text.h. */
#include "tools/common/text/text.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the UTF-8 sequence at `s`, 0 if it is none (or a control). */
static size_t sequence(const unsigned char *s)
{
    if (s[0] < 0x20 || s[0] == 0x7f)
        return 0;
    if (s[0] < 0x80)
        return 1;
    size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if (s[0] == 0xc2 && s[1] < 0xa0) /* C1 controls */
        return 0;
    /* bidirectional controls turn a line around */
    if (s[0] == 0xe2 && ((s[1] == 0x80 && s[2] >= 0xaa && s[2] <= 0xae) ||
                         (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9)))
        return 0;
    return len;
}

static const char *put_one(struct buf *b, const char *text, bool utf8)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t len = sequence(s);
    if (len == 1 || (len > 1 && utf8))
        buf_add(b, text, len);
    else
        buf_char(b, '?');
    return text + (len ? len : 1);
}

static void escape_one(struct buf *b, unsigned char c)
{
    static const char plain[] = "\n\t\r", letters[] = "ntr";
    const char *at = c ? strchr(plain, c) : NULL;
    if (at)
        buf_printf(b, "\\%c", letters[at - plain]);
    else
        buf_printf(b, "\\x%02x", c);
}

void text_escape(struct buf *b, const char *text)
{
    while (*text) {
        size_t len = sequence((const unsigned char *)text);
        if (len)
            buf_add(b, text, len);
        else
            escape_one(b, (unsigned char)*text);
        text += len ? len : 1;
    }
}

void text_print_lines(FILE *out, const char *text)
{
    struct buf b;
    buf_init(&b, 4 * strlen(text) + 1);
    while (*text) {
        size_t len = sequence((const unsigned char *)text);
        if (*text == '\n' || *text == '\t')
            buf_char(&b, *text);
        else if (len)
            buf_add(&b, text, len);
        else
            escape_one(&b, (unsigned char)*text);
        text += len ? len : 1;
    }
    fputs(buf_get(&b), out);
    buf_free(&b);
}

struct text_shown text_shown(const char *text)
{
    struct text_shown shown;
    struct buf b;
    buf_init(&b, 4 * strlen(text) + 1);
    text_escape(&b, text);
    snprintf(shown.text, sizeof shown.text, "%s", buf_get(&b));
    buf_free(&b);
    return shown;
}

const char *text_skip(const char *text, int columns)
{
    while (columns-- > 0 && *text) {
        size_t len = sequence((const unsigned char *)text);
        text += len ? len : 1;
    }
    return text;
}

int text_columns(const char *text, bool utf8)
{
    (void)utf8; /* a replaced character takes one column, too */
    int columns = 0;
    for (; *text; text = text_skip(text, 1))
        columns++;
    return columns;
}

int text_put(struct buf *b, const char *text, int columns, bool utf8)
{
    int all = text_columns(text, utf8);
    if (columns < 0 || all <= columns) {
        while (*text)
            text = put_one(b, text, utf8);
        return all;
    }
    const char *ellipsis = utf8 ? "\u2026" : "..";
    int dots = utf8 ? 1 : 2;
    if (columns <= dots) {
        for (int i = 0; i < columns; i++)
            text = put_one(b, text, utf8);
        return columns;
    }
    int tail = (columns - dots) / 2, head = columns - dots - tail;
    const char *end = text_skip(text, all - tail);
    for (int i = 0; i < head; i++)
        text = put_one(b, text, utf8);
    buf_text(b, ellipsis);
    while (*end)
        end = put_one(b, end, utf8);
    return columns;
}

enum {
    WORD_MAX = 128
};

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

unsigned text_distance(const char *a, const char *b, unsigned limit)
{
    size_t la = strlen(a), lb = strlen(b);
    size_t apart = la > lb ? la - lb : lb - la;
    if (apart > limit || la > WORD_MAX || lb > WORD_MAX)
        return limit + 1;
    unsigned rows[3][WORD_MAX + 1];
    unsigned *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= lb; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned best = now[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned cost = a[i - 1] != b[j - 1];
            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
            best = now[j] < best ? now[j] : best;
        }
        if (best > limit)
            return limit + 1;
        unsigned *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[lb] > limit ? limit + 1 : last[lb];
}

void text_nearest_init(struct text_nearest *n, const char *word)
{
    *n = (struct text_nearest){.word = word};
    size_t len = strlen(word);
    unsigned limit = len < 4 ? 1 : len < 8 ? 2 : len < 16 ? 4 : 6;
    for (size_t i = 0; i < 3; i++)
        n->distance[i] = limit + 1;
}

void text_nearest_offer(struct text_nearest *n, const char *name)
{
    unsigned distance = text_distance(n->word, name, n->distance[2] - 1);
    if (distance >= n->distance[2])
        return;
    for (size_t i = 0; i < 3; i++)
        if (n->name[i] && strcmp(n->name[i], name) == 0)
            return;
    size_t at = 2;
    while (at > 0 && distance < n->distance[at - 1]) {
        n->distance[at] = n->distance[at - 1];
        n->name[at] = n->name[at - 1];
        at--;
    }
    n->distance[at] = distance;
    n->name[at] = name;
}

/* ---- validity ------------------------------------------------------------ */

/* Length of the valid UTF-8 sequence at `s` (RFC 3629), 0 if there is none. */
static size_t valid_sequence(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return len;
}

void text_valid(struct buf *b, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    while (*s) {
        size_t len = valid_sequence(s);
        if (len)
            buf_add(b, s, len);
        else
            buf_text(b, "\ufffd");
        s += len ? len : 1;
    }
}

bool text_is_secret(const char *name)
{
    static const char *const words[] = {"pass", "token", "secret", "key",
                                        "auth"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(name, words[i]))
            return true;
    return false;
}
