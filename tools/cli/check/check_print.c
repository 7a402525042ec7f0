/* SPDX-License-Identifier: Apache-2.0 */
/* One line for each declaration; see check_print.h. The remark goes to the
 * end of the line where it fits there, else below it. */
#include "tools/cli/check/check_print.h"
#include "tools/common/text/apart.h"
#include "tools/common/text/text.h"
#include <stdlib.h>

enum {
    STATUS_COLUMNS = 7,
    NAME_PART = 4, /* a quarter of the width at most */
};

static const struct {
    const char *word, *total;
    enum term_style style;
} words[BINDING_STATUSES] = {
    [BINDING_OK] = {"ok", "ok", TERM_GREEN},
    [BINDING_PART] = {"part", "part", TERM_YELLOW},
    [BINDING_TIMES] = {"times", "times", TERM_YELLOW},
    [BINDING_LATER] = {"later", "later", TERM_CYAN},
    [BINDING_NONE] = {"NONE", "none", TERM_RED},
    [BINDING_TWICE] = {"twice", "named twice", TERM_DIM},
    [BINDING_ELSEWHERE] = {"other", "for other programs", TERM_DIM},
    [BINDING_ERROR] = {"ERROR", "error", TERM_RED},
};

const char *check_status_word(enum binding_status status)
{
    return words[status].total;
}

const char *check_way_text(unsigned ways)
{
    return ways == BINDING_ENTRY    ? "entry patch"
           : ways == BINDING_SLOTS  ? "call slots"
           : ways == BINDING_CHOSEN ? "its choice"
                                    : "entry patch, call slots";
}

const char *check_shim_text(size_t frames, size_t zero_copies)
{
    return !zero_copies ? "F" : !frames ? "Z" : "F, Z";
}

static void print_row(const struct term *term, const struct check_row *row,
                      int name_columns, int where_columns, int how)
{
    struct term_line l;
    term_line_init(&l, term);
    term_line_text(&l, words[row->status].style, words[row->status].word, -1);
    term_line_pad(&l, STATUS_COLUMNS);
    term_line_name(&l, TERM_PLAIN, row->name, name_columns, how);
    int column = STATUS_COLUMNS + name_columns + 1;
    if (row->how[0]) {
        term_line_pad(&l, column);
        term_line_text(&l, TERM_PLAIN, row->where, -1);
        term_line_pad(&l, column + where_columns + 1);
        term_line_printf(&l, TERM_PLAIN, " %s", row->how);
        term_line_pad(&l, l.column + 1);
    }
    bool fits =
        l.column + text_columns(buf_get(&row->text), term->utf8) <= term->width;
    if (row->how[0] && !fits)
        term_line_end(&l);
    term_line_pad(&l, column);
    term_line_wrap(&l, TERM_PLAIN, buf_get(&row->text), column);
    term_line_end(&l);
    term_line_free(&l);
}

void check_rows_print(const struct term *term, const struct check_row *rows,
                      size_t count)
{
    int name = 4, where = 8;
    for (size_t i = 0; i < count; i++) {
        int columns = text_columns(rows[i].name, term->utf8);
        int most = term->width / NAME_PART;
        columns = term->is_narrow && columns > most ? most : columns;
        name = columns > name ? columns : name;
        columns = text_columns(rows[i].where, term->utf8);
        where = columns > where ? columns : where;
    }
    const char **names = calloc(count + 1, sizeof *names);
    int *how = calloc(count + 1, sizeof *how);
    for (size_t i = 0; names && i < count; i++)
        names[i] = rows[i].name;
    if (names && how)
        apart_find(names, count, name, term->utf8, how);
    for (size_t i = 0; i < count; i++)
        print_row(term, &rows[i], name, where,
                  names && how ? how[i] : APART_WHOLE);
    free(names);
    free(how);
}

void check_totals_print(const struct term *term,
                        const size_t totals[BINDING_STATUSES], size_t count,
                        int status)
{
    struct buf text;
    bool any = false;
    buf_init(&text, 1024);
    buf_printf(&text, "%zu declaration%s: ", count, count == 1 ? "" : "s");
    for (int i = 0; i < BINDING_STATUSES; i++) {
        if (!totals[i])
            continue;
        buf_printf(&text, "%s%zu %s", any ? ", " : "", totals[i],
                   words[i].total);
        any = true;
    }
    buf_printf(&text, "%s. Exit status %d.", any ? "" : "none", status);
    term_wrap(term, TERM_PLAIN, buf_get(&text), 2);
    buf_free(&text);
}
