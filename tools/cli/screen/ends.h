/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of how the processes of a trace ended. */
#pragma once
#include "tools/cli/screen/view.h"
#include "tools/query/detail.h"

/* A line for each of the first processes whose end nobody saw exactly. */
void ends_print(const struct term *term, const struct query_trace *t,
                const struct query_detail *d);
