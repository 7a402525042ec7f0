/* SPDX-License-Identifier: Apache-2.0 */
/* A call, or a process, as `spans --json` tells it. */
#include "tools/cli/rows/rows.h"
#include "tools/cli/screen/slow.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include <stdlib.h>
#include <string.h>

static void add_error(struct cJSON *to, const char *error)
{
    static const char *const members[] = {
        "kind",  "type",   "rule",  "return_value", "errno",      "message",
        "cause", "origin", "stack", "stderr",       "fingerprint"};
    /* only where there is something to say */
    static const char *const more[] = {"stack_ended", "origin_ended", "left_by",
                                       "withheld", "judged"};
    if (!error) {
        json_null(to, "error");
        return;
    }
    struct cJSON *o = json_object();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        int len;
        const char *raw = json_member(error, members[i], &len);
        char *copy = raw ? strndup(raw, (size_t)len) : NULL;
        json_raw(o, members[i], copy, "null");
        free(copy);
    }
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        int len;
        const char *raw = json_member(error, more[i], &len);
        char *copy = raw ? strndup(raw, (size_t)len) : NULL;
        if (copy)
            json_raw(o, more[i], copy, "null");
        free(copy);
    }
    json_object_add(to, "error", o);
}

int row_span(FILE *out, const struct query_trace *t,
             const struct query_detail *d, const struct row_span *r)
{
    const struct query_span *p = r->span;
    bool ended = p->status && strcmp(p->status, "open") != 0 &&
                 strcmp(p->status, "unfinished") != 0;
    struct cJSON *o = json_object();
    json_text(o, "trace_id", t->hex);
    json_id(o, "span_id", query_span_id(d, p->session, p->ref));
    json_id(o, "parent_span_id",
            query_parent_span_id(d, p->session, p->ref, p->parent_ref));
    json_raw(o, "links", p->links, "[]");
    json_text(o, "orphan", p->orphan);
    json_text(o, "name", r->name);
    json_text(o, "symbol", r->site ? r->site->symbol : NULL);
    json_text(o, "object",
              r->site      ? r->site->object
              : r->process ? r->process->program
                           : NULL);
    json_text(o, "service", r->session ? r->session->service : NULL);
    json_text(o, "host", r->session ? r->session->host : NULL);
    json_id(o, "session", r->session ? r->session->key : 0);
    json_count(o, "pid", r->process ? r->process->pid : -1);
    json_count(o, "tid", r->tid);
    json_text(o, "thread_name", r->thread_name);
    json_text(o, "started_at", format_rfc3339(p->start_unix_ns).text);
    json_int(o, "start_unix_ns", p->start_unix_ns);
    json_count(o, "duration_ns", p->duration_ns);
    json_count(o, "self_ns", p->self_ns);
    json_count(o, "cpu_ns", p->cpu_ns);
    json_count(o, "queue_ns", p->queue_ns);
    json_text(o, "status", p->status);
    json_bool(o, "slow", slow_is(r->site, p->duration_ns));
    slow_overdue_one_json(o, query_overdue_find(d, p->session, p->ref));
    json_text(o, "ended_by", p->ended_by);
    json_raw(o, "input", p->input, "{}");
    json_raw(o, "output", p->output, ended ? "{}" : "null");
    json_raw(o, "attributes", p->attributes, "{}");
    json_raw(o, "capture", p->capture, "{}");
    add_error(o, p->error);
    return json_print(out, o);
}

struct row_span row_span_of(const struct query_detail *d,
                            const struct query_span *span)
{
    struct row_span r = {
        .span = span,
        .site = query_site_find(d, span->session, span->site),
        .session = query_session_find(d, span->session),
        .process = query_process_find(d, span->session, span->process_idx),
        .tid = -1};
    const struct query_thread *t =
        query_thread_find(d, span->session, span->ref, span->generation);
    if (t) {
        r.tid = t->tid;
        r.thread_name = t->name;
    }
    r.name = r.site && r.site->name ? r.site->name : "?";
    return r;
}

int row_process(const struct query_detail *d, const struct query_process *p,
                int (*each)(void *context, const struct row_span *r),
                void *context)
{
    char attributes[192], *input = NULL;
    snprintf(attributes, sizeof attributes,
             "{\"exit_code\":%lld,\"signal\":%lld,\"peak_bytes\":%lld,"
             "\"loading_ns\":%lld}",
             (long long)p->exit_code, (long long)p->signal,
             (long long)p->peak_bytes, (long long)p->loading_ns);
    for (char *minus; (minus = strstr(attributes, ":-1"));) {
        memmove(minus + 5, minus + 3, strlen(minus + 3) + 1);
        memcpy(minus, ":null", 5);
    }
    if (p->command && asprintf(&input, "{\"command\":%s}", p->command) < 0)
        input = NULL;
    struct query_span span = {.start_unix_ns = p->start_unix_ns,
                              .session = p->session,
                              .ref = query_process_ref(p->idx),
                              .parent_ref = query_process_parent(p),
                              .site = -1,
                              .duration_ns = p->duration_ns,
                              .self_ns = -1,
                              .cpu_ns = p->cpu_ns,
                              .queue_ns = -1,
                              .status = p->status,
                              .ended_by = p->ended_by,
                              .attributes = attributes,
                              .input = input};
    struct row_span r = {.span = &span,
                         .session = query_session_find(d, p->session),
                         .process = p,
                         .tid = p->pid,
                         .name = p->name ? p->name : "?"};
    int err = each(context, &r);
    free(input);
    return err;
}
