/* SPDX-License-Identifier: Apache-2.0 */
/* A picture of what goes on now: see cmd_top.c. */
#pragma once
#include "tools/cli/screen/view.h"
#include "tools/query/whole/live.h"
#include "tools/symbolize/symbolize.h"

struct top_rate {
    double calls, errors; /* a second */
    double busy;          /* self time a second: 1 is a thread all the time */
};
struct top {
    struct query_live now, before; /* `before`: empty at first */
    int64_t at_ns, before_ns;      /* wall clock of each */
    char **where;                  /* of each call; NULL: not looked at */
    struct top_rate *rate;         /* of each handler */
    struct symbolize_client client;
};

/* The next picture: at most `limit` calls, looked at from outside, and
 * handlers. Rates are since the one before, of the first since the start. 0 or
 * -errno. */
int top_take(struct view *v, struct top *t, int64_t limit)
    __attribute__((warn_unused_result));
void top_free(struct top *t);
