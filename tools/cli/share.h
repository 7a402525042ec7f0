/* SPDX-License-Identifier: Apache-2.0 */
/* How much of a trace's calls has detail (a span in the store), why not all,
 * and what to do about it: the last line of the screens. */
#pragma once
#include "tools/common/buf.h"
#include "tools/common/term.h"
#include "tools/query/detail.h"

/* Losses of this kind, in all sessions of the trace. */
int64_t share_loss(const struct query_detail *d, const char *kind);
/* Calls that were made: stored, only counted, and seen by nobody. */
int64_t share_calls(const struct query_trace *t, const struct query_detail *d,
                    int64_t stored);
/* Nothing is missing: each call has a span, with its place and its times. */
bool share_is_whole(const struct query_trace *t, const struct query_detail *d,
                    int64_t stored);
/* Why, and the setting that cures it; nothing if all is there. Sentences, each
 * with a blank before it. */
void share_put_why(struct buf *text, const struct query_detail *d);
/* "Detail: ..." as a line of its own. */
void share_print(const struct term *term, const struct query_trace *t,
                 const struct query_detail *d, int64_t stored);
