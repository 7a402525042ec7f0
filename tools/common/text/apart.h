/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that are too long for a screen, cut so that two different ones look
 * different: head and tail as text_put() shows them, with what tells them apart
 * between where both are alike; whole where even that does not do.
 */
#pragma once
#include "tools/common/text/buf.h"
#include <stdbool.h>
#include <stddef.h>

enum {
    APART_CUT = -1,   /* text_put() does */
    APART_WHOLE = -2, /* not to be cut */
};

/* How each of `count` names is to be cut for `columns` or more: one of the
 * above, else the column of a piece that must be seen. Without memory for it
 * none is cut. */
void apart_find(const char *const *names, size_t count, int columns, bool utf8,
                int *out);
/* Append `name`; `how`: of apart_find(). Returns its columns. */
int apart_put(struct buf *b, const char *name, int columns, int how, bool utf8);
