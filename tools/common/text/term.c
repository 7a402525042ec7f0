/* SPDX-License-Identifier: Apache-2.0 */
/* What the terminal can do, and lines on it; see term.h. */
#include "tools/common/text/term.h"
#include "tools/common/text/apart.h"
#include "tools/common/text/text.h"
#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const struct term_glyphs glyphs_utf8 = {
    .cpu = "\u2588",
    .wait = "\u2592",
    .queue = "\u2591",
    .unknown = "\u2500",
    .running = "\u2026",
    .branch = "\u251c ",
    .last = "\u2514 ",
    .pipe = "\u2502 ",
    .blank = "  ",
    .times = "\u00d7",
    .dot = "\u00b7",
    .recursive = "\u21bb",
    .spark = {".", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586",
              "\u2587", "\u2588"},
};
static const struct term_glyphs glyphs_ascii = {
    .cpu = "#",
    .wait = "-",
    .queue = ".",
    .unknown = "=",
    .running = ">",
    .branch = "|-",
    .last = "`-",
    .pipe = "| ",
    .blank = "  ",
    .times = "x",
    .dot = "-",
    .recursive = "@",
    .spark = {".", "1", "2", "3", "4", "5", "6", "7", "8"},
};

static int width_of(FILE *out)
{
    const char *columns = getenv("COLUMNS");
    long width = columns ? strtol(columns, NULL, 10) : 0;
    struct winsize size;
    if (width <= 0 && ioctl(fileno(out), TIOCGWINSZ, &size) == 0)
        width = size.ws_col;
    if (width <= 0)
        width = 80;
    return width < 40 ? 40 : width > 1000 ? 1000 : (int)width;
}

void term_detect(struct term *t, FILE *out)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *kind = getenv("TERM");
    t->out = out;
    t->is_tty = isatty(fileno(out)) == 1;
    t->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    t->colour = t->is_tty && !(no_colour && *no_colour) && kind &&
                strcmp(kind, "dumb") != 0;
    const char *columns = getenv("COLUMNS");
    t->is_narrow = t->is_tty || (columns && strtol(columns, NULL, 10) > 0);
    t->width = width_of(out);
    t->glyphs = t->utf8 ? &glyphs_utf8 : &glyphs_ascii;
}

bool term_set_colour(struct term *t, const char *when)
{
    if (strcmp(when, "always") == 0)
        t->colour = true;
    else if (strcmp(when, "never") == 0)
        t->colour = false;
    else
        return strcmp(when, "auto") == 0;
    return true;
}

void term_line_init(struct term_line *l, const struct term *t)
{
    *l = (struct term_line){.term = t};
    buf_init(&l->buf, 64 << 10);
}

static void style_on(struct term_line *l, enum term_style style)
{
    static const char *const codes[] = {
        [TERM_BOLD] = "\033[1m",    [TERM_DIM] = "\033[2m",
        [TERM_RED] = "\033[31m",    [TERM_GREEN] = "\033[32m",
        [TERM_YELLOW] = "\033[33m", [TERM_CYAN] = "\033[36m",
    };
    if (l->term->colour && style != TERM_PLAIN)
        buf_text(&l->buf, codes[style]);
}

static void style_off(struct term_line *l, enum term_style style)
{
    if (l->term->colour && style != TERM_PLAIN)
        buf_text(&l->buf, "\033[0m");
}

void term_line_text(struct term_line *l, enum term_style style,
                    const char *text, int columns)
{
    style_on(l, style);
    l->column += text_put(&l->buf, text, columns, l->term->utf8);
    style_off(l, style);
}

void term_line_name(struct term_line *l, enum term_style style,
                    const char *name, int columns, int how)
{
    style_on(l, style);
    l->column +=
        apart_put(&l->buf, name, columns,
                  l->term->is_narrow ? how : APART_WHOLE, l->term->utf8);
    style_off(l, style);
}

void term_line_glyph(struct term_line *l, enum term_style style,
                     const char *glyph, int columns)
{
    style_on(l, style);
    buf_text(&l->buf, glyph);
    style_off(l, style);
    l->column += columns;
}

void term_line_printf(struct term_line *l, enum term_style style,
                      const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    term_line_text(l, style, text, -1);
}

void term_line_pad(struct term_line *l, int column)
{
    for (; l->column < column; l->column++)
        buf_char(&l->buf, ' ');
}

void term_line_right(struct term_line *l, enum term_style style,
                     const char *text, int column)
{
    term_line_pad(l, column - text_columns(text, l->term->utf8));
    term_line_text(l, style, text, -1);
}

void term_line_end(struct term_line *l)
{
    const char *text = buf_get(&l->buf);
    size_t len = l->buf.len_bytes;
    while (len > 0 && text[len - 1] == ' ')
        len--;
    fwrite(text, 1, len, l->term->out);
    fputc('\n', l->term->out);
    buf_reset(&l->buf);
    l->column = 0;
}

void term_line_free(struct term_line *l)
{
    buf_free(&l->buf);
}

void term_line_wrap(struct term_line *l, enum term_style style,
                    const char *text, int indent)
{
    char *copy = strdup(text), *rest = NULL;
    bool is_first = true; /* on its line */
    for (char *word = copy ? strtok_r(copy, " ", &rest) : NULL; word;
         word = strtok_r(NULL, " ", &rest)) {
        int columns = text_columns(word, l->term->utf8);
        if (!is_first && l->column + 1 + columns > l->term->width) {
            term_line_end(l);
            term_line_pad(l, indent);
            is_first = true;
        }
        if (!is_first)
            term_line_pad(l, l->column + 1);
        term_line_text(l, style, word, -1);
        is_first = false;
    }
    free(copy);
}

void term_wrap(const struct term *t, enum term_style style, const char *text,
               int indent)
{
    struct term_line l;
    term_line_init(&l, t);
    term_line_wrap(&l, style, text, indent);
    if (l.column > 0)
        term_line_end(&l);
    term_line_free(&l);
}
