/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that took longer than slow("...") allows their handler, or are open for
 * longer than overdue("...") does; and what was thrown. */
#pragma once
#include "tools/common/text/term.h"
#include "tools/query/detail.h"
#include <stdbool.h>

struct cJSON;

/* `site` NULL: a process. */
bool slow_is(const struct query_site *site, int64_t duration_ns);
/* "Slow: extract 3 of 120 calls over 2s.", and a line for each call that was
 * overdue("..."); or nothing. */
void slow_print(const struct term *term, const struct query_detail *d);
/* "Thrown: step 3 std::bad_alloc." or nothing: caught or not, by handler. */
void slow_print_throws(const struct term *term, const struct query_detail *d);
/* The calls that were overdue as an array; `o` as an object, NULL: null. */
void slow_overdue_json(struct cJSON *to, const struct query_detail *d);
void slow_overdue_one_json(struct cJSON *to, const struct query_overdue *o);
