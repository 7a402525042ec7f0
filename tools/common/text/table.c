/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table that fits the terminal: columns are as wide as what is in them; one
 * column gives way, and columns marked so are dropped before it gets too
 * narrow. Declared in term.h.
 */
#include "tools/common/text/term.h"
#include "tools/common/text/apart.h"
#include "tools/common/text/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHRUNK_MIN = 18
};

void term_table_init(struct term_table *table,
                     const struct term_column *columns, int count)
{
    *table = (struct term_table){.columns = columns, .count = count};
}

/* A row's columns and its note. */
static size_t cells_of(const struct term_table *table)
{
    return (size_t)table->count + 1;
}

static bool add_row(struct term_table *table)
{
    size_t width = cells_of(table);
    if (table->row_count == table->row_cap) {
        size_t cap = table->row_cap ? table->row_cap * 2 : 32;
        char **cells = realloc(table->cells, cap * width * sizeof *cells);
        if (cells)
            table->cells = cells;
        unsigned char *styles = realloc(table->styles, cap * width);
        if (styles)
            table->styles = styles;
        if (!cells || !styles)
            return false;
        table->row_cap = cap;
    }
    memset(table->cells + table->row_count * width, 0,
           width * sizeof *table->cells);
    memset(table->styles + table->row_count * width, 0, width);
    table->row_count++;
    return true;
}

void term_table_cell(struct term_table *table, int column,
                     enum term_style style, const char *text)
{
    if (column == 0 && !add_row(table))
        table->failed = true;
    if (table->failed || table->row_count == 0)
        return;
    size_t at = (table->row_count - 1) * cells_of(table) + (size_t)column;
    free(table->cells[at]);
    table->cells[at] = strdup(text);
    table->styles[at] = (unsigned char)style;
    if (!table->cells[at])
        table->failed = true;
}

void term_table_note(struct term_table *table, enum term_style style,
                     const char *text)
{
    term_table_cell(table, table->count, style, text);
}

static const char *cell(const struct term_table *table, size_t row, int column)
{
    const char *text = table->cells[row * cells_of(table) + (size_t)column];
    return text ? text : "";
}

static int natural_width(const struct term_table *table, int column, bool utf8)
{
    int width = text_columns(table->columns[column].title, utf8);
    for (size_t row = 0; row < table->row_count; row++) {
        int columns = text_columns(cell(table, row, column), utf8);
        width = columns > width ? columns : width;
    }
    return width;
}

/* Widths into `width`; 0 for a dropped column. */
static void lay_out(const struct term_table *table, const struct term *t,
                    int *width)
{
    int total = -1, shrinks = -1;
    for (int i = 0; i < table->count; i++) {
        width[i] = natural_width(table, i, t->utf8);
        total += width[i] + 1;
        if (table->columns[i].shrinks)
            shrinks = i;
    }
    if (shrinks < 0 || !t->is_narrow)
        return;
    for (;;) {
        int room = width[shrinks] - (total - t->width);
        int worst = -1;
        for (int i = 0; i < table->count; i++)
            if (table->columns[i].drop && width[i] &&
                (worst < 0 ||
                 table->columns[i].drop > table->columns[worst].drop))
                worst = i;
        int least = width[shrinks] < SHRUNK_MIN ? width[shrinks] : SHRUNK_MIN;
        if (room >= least || worst < 0) {
            if (room < width[shrinks])
                width[shrinks] = room > 4 ? room : 4;
            return;
        }
        total -= width[worst] + 1;
        width[worst] = 0;
    }
}

bool term_table_shows(const struct term_table *table, const struct term *t,
                      int column)
{
    int *width = calloc((size_t)table->count, sizeof *width);
    bool is_shown = width != NULL;
    if (width) {
        lay_out(table, t, width);
        is_shown = width[column] != 0;
    }
    free(width);
    return is_shown;
}

static void put_cell(struct term_line *l, const struct term_column *column,
                     enum term_style style, const char *text, int start,
                     int width, int how)
{
    int columns = text_columns(text, l->term->utf8);
    columns = columns > width ? width : columns;
    term_line_pad(l, column->left ? start : start + width - columns);
    term_line_name(l, style, text, width, how);
}

/* How the names in the column that gives way are cut: a row each, NULL: no
 * memory. */
static int *ways(const struct term_table *table, const struct term *t,
                 const int *width)
{
    size_t rows = table->row_count + 1;
    const char **names = calloc(rows, sizeof *names);
    int *how = malloc(rows * sizeof *how), shrinks = 0;
    while (shrinks < table->count && !table->columns[shrinks].shrinks)
        shrinks++;
    for (size_t row = 0; row < rows; row++) {
        bool is_name = names && row && shrinks < table->count;
        if (is_name)
            names[row] = cell(table, row - 1, shrinks);
        else if (names)
            names[row] = "";
        if (how)
            how[row] = APART_CUT;
    }
    if (names && how && shrinks < table->count)
        apart_find(names, rows, width[shrinks], t->utf8, how);
    free(names);
    return how;
}

/* The columns of a row (0: the titles); where they end. */
static int put_row(struct term_line *l, const struct term_table *table,
                   size_t row, const int *width, int how)
{
    int start = 0;
    for (int i = 0; i < table->count; i++) {
        if (width[i] == 0)
            continue;
        size_t at = (row - 1) * cells_of(table) + (size_t)i;
        const char *text =
            row ? cell(table, row - 1, i) : table->columns[i].title;
        put_cell(l, &table->columns[i],
                 row ? (enum term_style)table->styles[at] : TERM_DIM, text,
                 start, width[i], table->columns[i].shrinks ? how : APART_CUT);
        start += width[i] + 1;
    }
    return start;
}

/* Do all notes stand beside their rows? */
static bool is_beside(const struct term_table *table, const struct term *t,
                      const int *width)
{
    int total = 0, longest = 0;
    for (int i = 0; i < table->count; i++)
        total += width[i] ? width[i] + 1 : 0;
    for (size_t row = 0; row < table->row_count; row++) {
        int columns = text_columns(cell(table, row, table->count), t->utf8);
        longest = columns > longest ? columns : longest;
    }
    return !t->is_narrow || total + longest <= t->width;
}

/* The note of a row (0: its title), on this line or one of its own. */
static void put_note(struct term_line *l, const struct term_table *table,
                     size_t row, int start, bool beside, int indent)
{
    bool is_titled = table->note_title && beside;
    const char *text = row         ? cell(table, row - 1, table->count)
                       : is_titled ? table->note_title
                                   : "";
    size_t at = (row - 1) * cells_of(table) + (size_t)table->count;
    if (!*text)
        return;
    if (!beside)
        term_line_end(l);
    term_line_pad(l, beside ? start : indent);
    term_line_text(l, row ? (enum term_style)table->styles[at] : TERM_DIM, text,
                   beside ? -1 : l->term->width - indent);
}

static bool has_notes(const struct term_table *table)
{
    for (size_t row = 0; row < table->row_count; row++)
        if (*cell(table, row, table->count))
            return true;
    return false;
}

int term_table_print(struct term_table *table, const struct term *t)
{
    int width[TERM_COLUMN_MAX];
    lay_out(table, t, width);
    int *how = ways(table, t, width);
    bool beside = is_beside(table, t, width), noted = has_notes(table);
    struct term_line l;
    term_line_init(&l, t);
    for (size_t row = 0; row <= table->row_count; row++) {
        int start = put_row(&l, table, row, width, how ? how[row] : APART_CUT);
        if (noted)
            put_note(&l, table, row, start, beside, width[0] + 1);
        term_line_end(&l);
    }
    term_line_free(&l);
    free(how);
    return table->failed ? -ENOMEM : 0;
}

void term_table_free(struct term_table *table)
{
    for (size_t i = 0; i < table->row_count * cells_of(table); i++)
        free(table->cells[i]);
    free(table->cells);
    free(table->styles);
    term_table_init(table, table->columns, table->count);
}
