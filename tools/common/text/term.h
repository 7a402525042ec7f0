/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal: its width, whether it shows UTF-8 and colours, the glyphs that
 * follow from that; a line with styles; a table.
 */
#pragma once
#include "tools/common/text/buf.h"
#include <stdbool.h>
#include <stdio.h>

struct term_glyphs {
    const char *cpu, *wait, *queue, *unknown, *running; /* cells of a bar */
    const char *branch, *last, *pipe, *blank;           /* 2 columns each */
    const char *times, *dot, *recursive;
    const char *spark[9]; /* empty, then 1/8 to 8/8 */
};

struct term {
    FILE *out;
    int width;
    bool is_tty, utf8, colour;
    bool is_narrow; /* names are cut: a terminal, or $COLUMNS says so */
    const struct term_glyphs *glyphs;
};

/*
 * What `out` is: width from $COLUMNS, else the terminal, else 80 (never below
 * 40); UTF-8 by the locale (call setlocale(LC_CTYPE, "") first); colour on a
 * terminal only, and neither with $NO_COLOR nor with TERM=dumb. Into a file or
 * a pipe without $COLUMNS names are whole, whatever the width.
 */
void term_detect(struct term *t, FILE *out);

/* "always", "never", "auto" (as it was found). False: none of these. */
bool term_set_colour(struct term *t, const char *when);

enum term_style {
    TERM_PLAIN,
    TERM_BOLD,
    TERM_DIM,
    TERM_RED,
    TERM_GREEN,
    TERM_YELLOW,
    TERM_CYAN,
};

/* One line being put together; `column` counts what is seen. */
struct term_line {
    const struct term *term;
    struct buf buf;
    int column;
};
void term_line_init(struct term_line *l, const struct term *t);
/* Foreign text, at most `columns` of it (< 0: all). */
void term_line_text(struct term_line *l, enum term_style style,
                    const char *text, int columns);
/* A name that is cut as apart.h says (`how`). */
void term_line_name(struct term_line *l, enum term_style style,
                    const char *name, int columns, int how);
/* Our own text or a glyph, of `columns` columns, printed as it is. */
void term_line_glyph(struct term_line *l, enum term_style style,
                     const char *glyph, int columns);
void term_line_printf(struct term_line *l, enum term_style style,
                      const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Blanks up to a column; none if it is passed already. */
void term_line_pad(struct term_line *l, int column);
/* Text right-aligned so that it ends before `column`. */
void term_line_right(struct term_line *l, enum term_style style,
                     const char *text, int column);
/* Print without trailing blanks, and begin anew. */
void term_line_end(struct term_line *l);
void term_line_free(struct term_line *l);
/* Words from here on, wrapped to the width; further lines are indented. */
void term_line_wrap(struct term_line *l, enum term_style style,
                    const char *text, int indent);
/* The same as lines of their own. */
void term_wrap(const struct term *t, enum term_style style, const char *text,
               int indent);

/* ---- tables ---------------------------------------------------------- */

enum {
    TERM_COLUMN_MAX = 16
};
struct term_column {
    const char *title;
    bool left;    /* left-aligned */
    bool shrinks; /* takes what the others leave */
    int drop;     /* 0: stays; else dropped when narrow, highest first */
};
struct term_table {
    const struct term_column *columns;
    int count;
    char **cells; /* row after row; owned */
    unsigned char *styles;
    size_t row_count, row_cap;
    const char *note_title; /* above the notes where they stand beside; NULL */
    bool failed;
};
/* Without rows; `columns` must stay. Free it with term_table_free(). */
void term_table_init(struct term_table *table,
                     const struct term_column *columns, int count);
/* Set a cell of the last row (copied). Column 0 begins a row. */
void term_table_cell(struct term_table *table, int column,
                     enum term_style style, const char *text);
/* A remark on the last row (copied): beside it where all rows have the room or
 * lines may be of any length, else below it, indented and cut. */
void term_table_note(struct term_table *table, enum term_style style,
                     const char *text);
/* Is this column there, or was it dropped? Once all rows are. */
bool term_table_shows(const struct term_table *table, const struct term *t,
                      int column);
/* Title line and rows. -ENOMEM if a cell was lost. */
int term_table_print(struct term_table *table, const struct term *t);
void term_table_free(struct term_table *table);
