/* SPDX-License-Identifier: Apache-2.0 */
/* The whole way from a program to the list of what is worth tracing. */
#pragma once
#include "tools/cli/suggest/suggest.h"

struct suggest_choice {
    char **globs; /* names; none: what looks like work */
    size_t glob_count;
};
struct suggest_notes {
    size_t with_debug, without_debug; /* objects */
    size_t beyond; /* candidates left out, as there are too many */
};
/* Grouped by object, the likeliest first. 0 or -ENOMEM; suggest_free() both
 * times. */
int suggest_choose(const struct objects *objects,
                   const struct suggest_choice *choice, struct suggestions *out,
                   struct suggest_notes *notes)
    __attribute__((warn_unused_result));
void suggest_free(struct suggestions *s);
