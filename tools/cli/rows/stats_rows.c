/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of a trace as `stats --json` tells them. */
#include "tools/cli/rows/rows.h"
#include "tools/common/text/json.h"
#include <string.h>

static void add_throws(struct cJSON *to, const struct query_detail *d,
                       const struct stats_row *r)
{
    struct cJSON *throws = json_object();
    for (size_t i = 0; i < d->throw_count; i++) {
        const struct query_throw *t = &d->throws[i];
        if (t->type &&
            (r->is_rest ? !t->name : t->name && strcmp(t->name, r->name) == 0))
            json_int(throws, t->type, t->count);
    }
    json_object_add(to, "throws", throws);
}

int rows_stats(FILE *out, struct query_db *db, const struct query_trace *t,
               const struct stats *s)
{
    struct share_sum sum = {0};
    share_sum_add(&sum, t);
    int err = share_print_schema(out, db, &sum);
    for (size_t i = 0; i < s->count && !err; i++) {
        const struct stats_row *r = &s->rows[i];
        bool is_part = r->is_rest || r->is_loading; /* of no handler */
        struct cJSON *o = json_object();
        json_text(o, "trace_id", t->hex);
        json_text(o, "name", r->is_rest ? NULL : r->name);
        json_count(o, "calls", is_part ? -1 : r->calls);
        json_count(o, "errors", is_part ? -1 : r->errors);
        json_count(o, "total_ns", r->is_rest ? -1 : r->total_ns);
        json_count(o, "self_ns", r->self_ns);
        json_count(o, "critical_ns", r->critical_ns);
        json_bool(o, "critical_estimate", stats_dropped(s) > 0);
        json_count(o, "cpu_ns", r->cpu_ns);
        json_count(o, "p50_ns", r->is_rest ? -1 : r->p50_ns);
        json_count(o, "p95_ns", r->is_rest ? -1 : r->p95_ns);
        json_count(o, "max_ns", r->is_rest ? -1 : r->max_ns);
        json_count(o, "dropped_calls", r->is_rest ? -1 : r->dropped_calls);
        json_count(o, "slow_calls", r->is_rest ? -1 : r->slow_calls);
        json_int(o, "after_calls", r->after_calls);
        json_int(o, "after_ns", r->after_ns);
        json_text(o, "after", r->after);
        json_bool(o, "estimate", r->is_estimate);
        json_count(o, "cpu_unknown_calls", r->is_rest ? -1 : r->cpu_unknown);
        add_throws(o, &s->detail, r);
        json_int(o, "wall_ns", s->wall_ns);
        err = json_print(out, o);
    }
    return err;
}
