/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of one trace or of many, summed up by what somebody asks for: handler,
 * path, thread, process, day, hour, or a value of input, output or attributes.
 * Of stored spans: calls without one are counted apart.
 */
#pragma once
#include "tools/cli/screen/share.h"
#include "tools/cli/screen/view.h"
#include "tools/query/detail.h"

enum group_by {
    GROUP_HANDLER,
    GROUP_PATH,
    GROUP_THREAD,
    GROUP_PROCESS,
    GROUP_DAY,
    GROUP_HOUR,
    GROUP_INPUT,
    GROUP_OUTPUT,
    GROUP_ATTRIBUTE,
};
enum group_sort {
    GROUP_SELF,
    GROUP_TOTAL,
    GROUP_CALLS,
    GROUP_ERRORS,
    GROUP_CPU,
    GROUP_P50,
    GROUP_P95,
    GROUP_MAX,
    GROUP_NAME,
    GROUP_SORTS,
};
enum {
    GROUP_ROWS = 10000, /* further keys are one row, "(others)" */
};
struct group_row {
    char *key;
    int64_t calls, errors, total_ns, self_ns, max_ns, p50_ns, p95_ns;
    int64_t cpu_ns;    /* -1: of no call known */
    uint32_t *buckets; /* of the log histogram of their times */
};
struct group {
    enum group_by by;
    const char *key; /* of GROUP_INPUT and the like */
    struct group_row *row;
    size_t count;
    uint32_t *slot;             /* hash table of rows */
    struct query_detail detail; /* of the last trace that needed another one:
                                   requests have their server's in common */
    struct share_sum sum;       /* what they lack */
    int64_t traces, spans, dropped_calls, without_key;
};

/* "handler", "input.path": what `text` means. False: nothing. */
bool group_parse(const char *text, struct group *out);
/* False: no such order. */
bool group_parse_sort(const char *text, enum group_sort *out);
/* Names of all orders, "self, total ...": for a message. */
const char *group_sorts(void);
/* Add the calls of one trace. 0 or -errno. */
int group_begin(struct group *g) __attribute__((warn_unused_result));
int group_add(struct view *v, struct group *g, const struct query_trace *t)
    __attribute__((warn_unused_result));
/* All are added: percentiles, order. */
void group_finish(struct group *g, enum group_sort sort);
void group_free(struct group *g);

/* 0 or -ENOMEM. `limit`: rows at most, 0: all. */
int group_print(const struct view *v, const struct group *g, size_t limit)
    __attribute__((warn_unused_result));
int group_print_json(const struct view *v, const struct group *g)
    __attribute__((warn_unused_result));
