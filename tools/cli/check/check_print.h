/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of `check`, before a run (cmd_check.c) and after it
 * (check_trace.c): one for each declaration, then how many of each kind. */
#pragma once
#include "tools/cli/check/bindings.h"
#include "tools/common/text/term.h"

struct check_row {
    enum binding_status status;
    const char *name;         /* not copied */
    char where[512], how[80]; /* "": not bound */
    struct buf text;
};
/* "ok", "part", as in the JSON. */
const char *check_status_word(enum binding_status status);
const char *check_way_text(unsigned ways);
/* F, Z or both. */
const char *check_shim_text(size_t frames, size_t zero_copies);
void check_rows_print(const struct term *term, const struct check_row *rows,
                      size_t count);
void check_totals_print(const struct term *term,
                        const size_t totals[BINDING_STATUSES], size_t count,
                        int status);
