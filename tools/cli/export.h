/* SPDX-License-Identifier: Apache-2.0 */
/* The formats of `handspan export` that carry no values. */
#pragma once
#include "tools/cli/view.h"
#include "tools/query/detail.h"
#include <stdio.h>

/* "chrome", "folded" or "csv". 0 or -errno. */
int export_table(struct view *v, const struct query_trace *trace,
                 const struct query_detail *detail, const char *format,
                 FILE *out) __attribute__((warn_unused_result));
/* Of these "chrome": a JSON array of trace events in microseconds since the
 * trace began (Perfetto, speedscope, chrome://tracing). */
int export_chrome(struct view *v, const struct query_trace *trace,
                  const struct query_detail *detail, FILE *out)
    __attribute__((warn_unused_result));
