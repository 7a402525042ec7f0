/* SPDX-License-Identifier: Apache-2.0 */
/* The waterfall: a tree of a trace drawn over its time axis. */
#pragma once
#include "tools/common/text/term.h"
#include "tools/query/tree.h"

/* Axis, then a line per node with its failures in place. `orphans`: what hangs
 * below the pseudo node of orphans as well. 0 or -ENOMEM. */
int waterfall_print(const struct query_tree *tree, const struct term *term,
                    bool orphans);
/* The glyph of a cell of which less than an eighth is occupied. */
const char *waterfall_sparse(const struct term *term);
/* Does the picture show queue time, or time of unknown kind? */
bool waterfall_has_queue(const struct query_tree *tree);
bool waterfall_has_unknown(const struct query_tree *tree);
