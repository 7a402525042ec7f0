/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that took longer than slow("...") allows their handler. */
#pragma once
#include "tools/common/term.h"
#include "tools/query/detail.h"
#include <stdbool.h>

/* `site` NULL: a process. */
bool slow_is(const struct query_site *site, int64_t duration_ns);
/* "Slow: extract 3 of 120 calls over 2s." or nothing. */
void slow_print(const struct term *term, const struct query_detail *d);
