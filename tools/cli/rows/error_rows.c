/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of errors and what was thrown, as `errors --json` tells them. */
#include "tools/cli/rows/rows.h"
#include "tools/cli/screen/error_screen.h"
#include "tools/common/text/buf.h"
#include "tools/common/text/json.h"

/* As the screen has it: of the example, else what all have in common. */
static void add_reason(struct cJSON *to, const struct query_group *g)
{
    struct buf line;
    buf_init(&line, 8192);
    if (g->error)
        query_error_line(g->error, true, &line);
    else
        error_screen_title(g, &line);
    json_text(to, "reason", buf_get(&line));
    buf_free(&line);
}

int row_group(FILE *out, struct query_db *db, const struct query_group *g)
{
    struct query_example example = {0};
    int found = query_example_load(db, g, &example);
    if (found < 0)
        return found;
    struct cJSON *o = json_object();
    json_text(o, "group", g->id);
    json_text(o, "of", g->is_process ? "process" : "handler");
    json_text(o, "name", g->handler);
    json_text(o, "kind", g->kind);
    json_text(o, "type", g->type);
    json_text(o, "rule", g->rule);
    add_reason(o, g);
    json_int(o, "count", g->count);
    json_count(o, "calls", g->calls);
    json_int(o, "traces", g->traces);
    json_int(o, "first_unix_ns", g->first_unix_ns);
    json_int(o, "last_unix_ns", g->last_unix_ns);
    json_text(o, "end_source", g->end_source);
    if (g->is_process)
        json_raw(o, "error", g->error, "null");
    if (found > 0) {
        struct cJSON *x = json_object();
        json_text(x, "trace_id", example.trace);
        json_id(x, "span_id", example.span_id);
        json_int(x, "start_unix_ns", example.start_unix_ns);
        json_text(x, "status", example.status);
        json_count(x, "duration_ns", example.duration_ns);
        json_text(x, "path", example.path);
        json_int(x, "count_in_trace", example.count);
        json_count(x, "calls_in_trace", example.calls);
        json_raw(x, "input", example.input, "{}");
        json_raw(x, "output", example.output, "{}");
        json_raw(x, "error", example.error, "null");
        json_object_add(o, "example", x);
    } else {
        json_null(o, "example");
    }
    query_example_free(&example);
    return json_print(out, o);
}

int rows_throws(FILE *out, const struct query_detail *d)
{
    int err = 0;
    for (size_t i = 0; i < d->throw_count && !err; i++) {
        struct cJSON *o = json_object();
        json_null(o, "group");
        json_text(o, "of", "throws");
        json_text(o, "name", d->throws[i].name);
        json_text(o, "type", d->throws[i].type);
        json_int(o, "count", d->throws[i].count);
        err = json_print(out, o);
    }
    return err;
}
