/* SPDX-License-Identifier: Apache-2.0 */
/* See apart.h. Names that a plain cut would show alike are neighbours when
 * sorted by what it leaves; sorted by themselves next, what tells a name from
 * the others is what tells it from its two neighbours. */
#include "tools/common/text/apart.h"
#include "tools/common/text/text.h"
#include <stdlib.h>
#include <string.h>

enum {
    BEFORE = 3,      /* columns of the piece before what differs */
    PIECE_LEAST = 8, /* else there is no place for one */
};
struct name {
    const char *text, *tail; /* tail: where that of a plain cut begins */
    size_t head_bytes, index;
};

static const char *plain_tail(const char *text, int columns, bool utf8,
                              int *head)
{
    int room = columns - (utf8 ? 1 : 2);
    *head = room - room / 2;
    return text_skip(text, text_columns(text, utf8) - room / 2);
}

static int by_cut(const struct name *a, const struct name *b)
{
    size_t most = a->head_bytes > b->head_bytes ? a->head_bytes : b->head_bytes;
    int order = strncmp(a->text, b->text, most);
    return order ? order : strcmp(a->tail, b->tail);
}

static int compare(const void *left, const void *right)
{
    const struct name *a = left, *b = right;
    int order = by_cut(a, b);
    return order ? order : strcmp(a->text, b->text);
}

/* The column where two names begin to differ; 0: they do not. */
static int where(const struct name *a, const struct name *b)
{
    int column = 0;
    const char *at = a->text;
    if (strcmp(a->text, b->text) == 0 || by_cut(a, b) != 0)
        return 0;
    for (; *at; column++) {
        const char *next = text_skip(at, 1);
        if (strncmp(at, b->text + (at - a->text), (size_t)(next - at)) != 0)
            break;
        at = next;
    }
    return column;
}

static bool looks_alike(const struct name *a, const struct name *b, int columns,
                        const int *out, bool utf8)
{
    struct buf left, right;
    buf_init(&left, 1 << 16);
    buf_init(&right, 1 << 16);
    (void)apart_put(&left, a->text, columns, out[a->index], utf8);
    (void)apart_put(&right, b->text, columns, out[b->index], utf8);
    bool same = strcmp(buf_get(&left), buf_get(&right)) == 0;
    buf_free(&left);
    buf_free(&right);
    return same;
}

/* A group of names that a plain cut shows alike, sorted. */
static void tell_apart(const struct name *group, size_t count, int columns,
                       bool utf8, int *out)
{
    for (size_t i = 0; i < count; i++) {
        /* the same name again has the same neighbours of another name */
        size_t low = i, high = i;
        while (low > 0 && strcmp(group[low].text, group[i].text) == 0)
            low--;
        while (high + 1 < count && strcmp(group[high].text, group[i].text) == 0)
            high++;
        int before = where(&group[i], &group[low]);
        int after = where(&group[i], &group[high]);
        int most = before > after ? before : after;
        out[group[i].index] = most ? most : APART_CUT;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(group[i].text, group[j].text) != 0 &&
                looks_alike(&group[i], &group[j], columns, out, utf8))
                out[group[i].index] = APART_WHOLE;
}

void apart_find(const char *const *names, size_t count, int columns, bool utf8,
                int *out)
{
    struct name *all = calloc(count ? count : 1, sizeof *all);
    size_t long_ones = 0;
    for (size_t i = 0; i < count; i++) {
        out[i] = all ? APART_CUT : APART_WHOLE;
        if (!all || text_columns(names[i], utf8) <= columns)
            continue;
        int head;
        const char *tail = plain_tail(names[i], columns, utf8, &head);
        all[long_ones++] = (struct name){
            names[i], tail, (size_t)(text_skip(names[i], head) - names[i]), i};
    }
    if (all)
        qsort(all, long_ones, sizeof *all, compare);
    for (size_t i = 0, end; i < long_ones; i = end) {
        for (end = i + 1; end < long_ones && by_cut(&all[i], &all[end]) == 0;)
            end++;
        if (end - i > 1)
            tell_apart(&all[i], end - i, columns, utf8, out);
    }
    free(all);
}

static int put_piece(struct buf *b, const char *from, int columns, bool utf8)
{
    const char *end = text_skip(from, columns);
    char *piece = strndup(from, (size_t)(end - from));
    int put = piece ? text_put(b, piece, -1, utf8) : 0;
    free(piece);
    return put;
}

int apart_put(struct buf *b, const char *name, int columns, int how, bool utf8)
{
    const char *ellipsis = utf8 ? "\u2026" : "..";
    int dots = utf8 ? 1 : 2, all = text_columns(name, utf8);
    int room = columns - 2 * dots, side = room / 4, piece = room - 2 * side;
    if (how == APART_WHOLE || all <= columns)
        return text_put(b, name, -1, utf8);
    if (how < 0)
        return text_put(b, name, columns, utf8);
    if (piece < PIECE_LEAST)
        return text_put(b, name, -1, utf8);
    int from = how - BEFORE < side ? side : how - BEFORE;
    if (from + piece > all - side)
        from = all - side - piece;
    int put = put_piece(b, name, side, utf8);
    buf_text(b, from > side ? ellipsis : "");
    put += put_piece(b, text_skip(name, from), piece, utf8);
    buf_text(b, from + piece < all - side ? ellipsis : "");
    put += put_piece(b, text_skip(name, all - side), side, utf8);
    return put + (from > side ? dots : 0) +
           (from + piece < all - side ? dots : 0);
}
