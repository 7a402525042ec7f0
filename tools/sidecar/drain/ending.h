/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a process that failed, besides its handlers' errors. */
#pragma once
#include "tools/sidecar/session/session.h"

/* `error` and `group` of its row, malloc'ed; NULL: nothing is known. */
struct ending {
    char *error, *group;
};
/* It ended by `kind` ("exit", "signal") and `code`. All of its lanes were read.
 * 0 or -errno. */
int ending_make(struct session *s, uint32_t number, const char *kind,
                int64_t code, struct ending *out)
    __attribute__((warn_unused_result));
void ending_free(struct ending *ending);
