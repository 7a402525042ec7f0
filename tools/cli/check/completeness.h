/* SPDX-License-Identifier: Apache-2.0 */
/* What is missing from a trace: the last lines of `show`. */
#pragma once
#include "tools/common/text/term.h"
#include "tools/query/detail.h"

struct cJSON;
/* `stored`: spans of it in the store. */
void completeness_print(const struct term *term, const struct query_trace *t,
                        const struct query_detail *d, int64_t stored);
/* What the run said of itself, a line each. */
void completeness_notes(const struct term *term, const struct query_detail *d);
/* Adds spans, calls, dropped_calls, losses, partly_seen, not_bound. */
void completeness_json(struct cJSON *to, const struct query_trace *t,
                       const struct query_detail *d, int64_t stored);
/* The word for a kind of loss ("records that found no room"). */
const char *completeness_loss_text(const char *kind);
