/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that came from elsewhere (a store, a symbol table, an argument), made
 * fit for a terminal; and the nearest name for a misspelt one.
 */
#pragma once
#include "tools/common/text/buf.h"
#include <stdbool.h>
#include <stdio.h>

/*
 * Append at most `columns` columns of `text`: control characters (C0, DEL, C1)
 * and invalid UTF-8 become '?', all that is not ASCII as well unless `utf8`.
 * Returns the columns added. columns < 0: no limit. Longer text loses its
 * middle to an ellipsis, since the ends of a symbol tell most.
 */
int text_put(struct buf *b, const char *text, int columns, bool utf8);
/* Behind so many columns of it, at most its end. */
const char *text_skip(const char *text, int columns);
/* Columns that text_put() would add without a limit. */
int text_columns(const char *text, bool utf8);

/*
 * Append `text` so that a person and a line-based tool read one line of it:
 * control characters (C0, DEL, C1, bidirectional) and bytes that are no UTF-8
 * come out as \n, \t, \x1b.
 */
void text_escape(struct buf *b, const char *text);
/* The same as a value, for a printf(); what is longer is cut off. */
struct text_shown {
    char text[4352];
};
struct text_shown text_shown(const char *text);

/* Several lines of ours that hold foreign words: as text_escape(), but newlines
 * and tabs stay. */
void text_print_lines(FILE *out, const char *text);

/* Append `text` as valid UTF-8: what is none becomes U+FFFD, byte by byte. */
void text_valid(struct buf *b, const char *text);

/* Is something of this name not to be shown? Errs on the side of silence. */
bool text_is_secret(const char *name);

/* Damerau-Levenshtein distance, or limit + 1 if it is more than `limit`. */
unsigned text_distance(const char *a, const char *b, unsigned limit);

/* The best names so far for one misspelt word. */
struct text_nearest {
    const char *word;
    const char *name[3]; /* nearest first; not copied */
    unsigned distance[3];
};
void text_nearest_init(struct text_nearest *n, const char *word);
void text_nearest_offer(struct text_nearest *n, const char *name);
