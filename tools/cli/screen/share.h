/* SPDX-License-Identifier: Apache-2.0 */
/* How much of a trace's calls has detail (a span in the store), why not all,
 * and what to do about it: the last line of the screens. */
#pragma once
#include "tools/common/text/buf.h"
#include "tools/common/text/term.h"
#include "tools/query/detail.h"
#include "tools/query/trace.h"
#include <stdio.h>

struct cJSON;

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
/* "Detail of ..." as a line of its own. */
void share_print(const struct term *term, const struct query_trace *t,
                 const struct query_detail *d, int64_t stored);

/* Of many traces: how many lack detail, and the one that lacks most of it. */
struct share_sum {
    int64_t traces;
    struct query_trace worst; /* its number, name and figures alone */
};
void share_sum_add(struct share_sum *sum, const struct query_trace *t);
/* The same of those that a filter lets through. 0 or -errno. */
int share_sum_find(struct query_db *db, const struct query_filter *filter,
                   struct share_sum *out) __attribute__((warn_unused_result));
/* As a line; nothing if all is there. */
void share_sum_print(const struct term *term, struct query_db *db,
                     const struct share_sum *sum);
/* As an object: trace_id, spans, calls, why; null if all is there. */
struct cJSON *share_sum_json(struct query_db *db, const struct share_sum *sum);
/* The first line of --json, with that as "missing" where it is any. 0 or
 * -errno. */
int share_print_schema(FILE *out, struct query_db *db,
                       const struct share_sum *sum);
