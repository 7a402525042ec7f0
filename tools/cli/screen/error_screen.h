/* SPDX-License-Identifier: Apache-2.0 */
/* The whole context of one group of errors, by its example: errors --full. */
#pragma once
#include "tools/cli/screen/view.h"
#include "tools/query/errors.h"

/* "return < 0 with return = -2 (ENOENT)", "SIGSEGV", "exit 3": what the calls
 * of a group have in common. */
void error_screen_title(const struct query_group *g, struct buf *b);
/* A stack, a frame a line; `ended`: why there is none above, or NULL. */
struct cJSON;
void error_screen_frames(const struct term *t, const struct cJSON *frames,
                         const char *ended);
/* 0 or -errno. */
int error_screen_print(const struct view *v, const struct query_group *g,
                       const char *short_id)
    __attribute__((warn_unused_result));
