/* SPDX-License-Identifier: Apache-2.0 */
/* A trace as `list --json` tells it. */
#include "tools/cli/rows/rows.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include "tools/query/failure.h"

int row_trace(FILE *out, struct query_db *db, const struct query_trace *t)
{
    struct cJSON *o = json_object();
    json_text(o, "trace_id", t->hex);
    json_text(o, "name", t->name);
    json_text(o, "service", t->service);
    json_text(o, "host", t->host);
    json_count(o, "pid", t->pid);
    json_text(o, "program", t->program);
    json_raw(o, "command", t->command, "null");
    json_text(o, "started_at", format_rfc3339(t->start_unix_ns).text);
    json_int(o, "start_unix_ns", t->start_unix_ns);
    json_count(o, "duration_ns", t->duration_ns);
    json_count(o, "loading_ns", t->loading_ns);
    json_count(o, "cpu_ns", t->cpu_ns);
    json_count(o, "peak_bytes", t->peak_bytes);
    json_bool(o, "peak_is_lower_bound", t->peak_is_lower_bound);
    json_text(o, "status", t->status);
    json_text(o, "ended_by", t->ended_by);
    json_count(o, "exit_code", t->exit_code);
    json_count(o, "signal", t->signal);
    json_int(o, "spans", t->calls);
    json_int(o, "errors", t->errors);
    json_int(o, "processes", t->process_count);
    json_int(o, "failed_processes", t->failed_count);
    json_int(o, "dropped_calls", t->dropped_calls);
    struct query_failure failure;
    int err = query_failure_load(db, t, &failure);
    json_text(o, "reason", failure.reason);
    json_int(o, "overdue", failure.overdue);
    query_failure_free(&failure);
    struct share_sum sum = {0};
    share_sum_add(&sum, t);
    struct cJSON *missing = share_sum_json(db, &sum);
    if (missing)
        json_object_add(o, "missing", missing);
    else
        json_null(o, "missing");
    int printed = json_print(out, o);
    return err ? err : printed;
}
