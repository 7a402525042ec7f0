/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan export: a trace for other programs. otlp is what the OTLP sink
 * sends: one ExportTraceServiceRequest a line of JSON (the collector's file
 * format), or in protobuf. Values only with --values.
 */
#include "lane/format/ids.h"
#include "tools/cli/command/commands.h"
#include "tools/cli/export/export.h"
#include "tools/cli/screen/share.h"
#include "tools/cli/screen/view.h"
#include "tools/query/detail.h"
#include "tools/upload/otlp/otlp_rows.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum rows {
    ROWS_JSON,
    ROWS_PROTOBUF,
    ROWS_CSV,
};
enum {
    PROCESS_SITE = -1, /* a process among the spans of a table */
    /* then the next request begins: OTLP receivers take 4 MiB by default */
    REQUEST_BYTES = 3 << 20,
    REQUEST_MAX = 64 << 20,
};

struct row_export {
    const struct query_trace *trace;
    const struct query_detail *detail;
    struct otlp_request request;
    FILE *out;
    enum rows as;
    bool values, is_open;
};

static int64_t number(int64_t n)
{
    return n < 0 ? UPLOAD_NULL : n;
}

static int flush(struct row_export *x)
{
    if (!x->is_open)
        return 0;
    otlp_end(&x->request);
    const struct buf *b = &x->request.emit.out;
    int err = b->failed ? -E2BIG : 0;
    if (!err && fwrite(b->text, 1, b->len_bytes, x->out) != b->len_bytes)
        err = -errno;
    if (!err && x->as == ROWS_JSON)
        fputc('\n', x->out);
    emit_free(&x->request.emit);
    x->is_open = false;
    return err;
}

/* A process as a row of the table of spans. */
static struct upload_span span_of_process(const struct upload_process *p)
{
    struct upload_span s = {.span_id = p->span_id,
                            .parent_span_id = p->parent_span_id,
                            .process_span_id = p->span_id,
                            .session = p->session,
                            .site = PROCESS_SITE,
                            .pid = p->pid,
                            .tid = p->pid,
                            .start_unix_ns = p->start_unix_ns,
                            .duration_ns = p->duration_ns,
                            .self_ns = UPLOAD_NULL,
                            .cpu_ns = p->cpu_ns,
                            .queue_ns = UPLOAD_NULL,
                            .name = p->name,
                            .service = p->service,
                            .host = p->host,
                            .program = p->name,
                            .status = p->status,
                            .ended_by = p->ended_by,
                            .error_errno = UPLOAD_NULL,
                            .error_cause_errno = UPLOAD_NULL,
                            .overdue_unix_ns = UPLOAD_NULL,
                            .overdue_limit_ns = UPLOAD_NULL};
    memcpy(s.trace_id, p->trace_id, sizeof s.trace_id);
    return s;
}

static int put(struct row_export *x, const struct upload_row *row)
{
    if (x->as == ROWS_CSV) {
        struct upload_span span = row->kind == UPLOAD_PROCESSES
                                      ? span_of_process(&row->process)
                                      : row->span;
        span.name = span.name ? span.name : ""; /* which are never null */
        span.host = span.host ? span.host : "";
        return export_csv_row(x->out, &span, x->values);
    }
    if (!x->is_open)
        otlp_begin(&x->request,
                   x->as == ROWS_PROTOBUF ? EMIT_PROTOBUF : EMIT_JSON,
                   x->values, REQUEST_MAX);
    x->is_open = true;
    otlp_add(&x->request, row);
    /* messages of protobuf that stand one behind the other are one message:
     * repeated fields go on (protobuf.dev, "Last One Wins") */
    return x->request.emit.out.len_bytes > REQUEST_BYTES ? flush(x) : 0;
}

static int put_process(struct row_export *x, const struct query_process *p)
{
    const struct query_session *s = query_session_find(x->detail, p->session);
    int64_t ref = query_process_ref(p->idx);
    struct upload_row row = {.kind = UPLOAD_PROCESSES};
    struct upload_process *o = &row.process;
    memcpy(o->trace_id, x->trace->id, sizeof o->trace_id);
    o->session = s ? s->key : 0;
    o->span_id = query_span_id(x->detail, p->session, ref);
    o->parent_span_id = query_parent_span_id(x->detail, p->session, ref,
                                             query_process_parent(p));
    o->pid = p->pid;
    o->start_unix_ns = p->start_unix_ns;
    o->duration_ns = number(p->duration_ns);
    o->cpu_ns = number(p->cpu_ns);
    o->loading_ns = number(p->loading_ns);
    o->peak_bytes = number(p->peak_bytes);
    o->exit_code = number(p->exit_code);
    o->signal = number(p->signal);
    o->name = p->name;
    o->service = s ? s->service : NULL;
    o->host = s ? s->host : NULL;
    o->resource = s ? s->resource : NULL;
    o->status = p->status;
    o->ended_by = p->ended_by;
    o->program = p->program;
    o->command = p->command;
    return put(x, &row);
}

static void fill_names(struct upload_span *o, const struct row_export *x,
                       const struct query_span *p)
{
    const struct query_session *s = query_session_find(x->detail, p->session);
    const struct query_site *i =
        query_site_find(x->detail, p->session, p->site);
    const struct query_process *q =
        query_process_find(x->detail, p->session, p->process_idx);
    const struct query_thread *t =
        query_thread_find(x->detail, p->session, p->ref, p->generation);
    o->session = s ? s->key : 0;
    o->service = s ? s->service : NULL;
    o->host = s ? s->host : NULL;
    o->resource = s ? s->resource : NULL;
    o->name = i ? i->name : NULL;
    o->symbol = i ? i->symbol : NULL;
    o->object = i && i->object ? export_base(i->object) : NULL;
    o->file = i ? i->file : NULL;
    o->line = i ? number(i->line) : UPLOAD_NULL;
    o->is_root = i && i->is_root && p->parent_ref == 0;
    o->program = q ? q->name : NULL;
    o->pid = q ? q->pid : UPLOAD_NULL;
    o->tid = t ? t->tid : UPLOAD_NULL;
    o->thread_name = t ? t->name : NULL;
}

/* What is known of an error without its values, as the sink has it. */
struct error_texts {
    cJSON *parsed, *overdue;
    char *frames, *overdue_frames;
};

static const char *member(const cJSON *o, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
}

static int64_t member_number(const cJSON *o, const char *key)
{
    const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, key);
    return cJSON_IsNumber(n) ? (int64_t)n->valuedouble : UPLOAD_NULL;
}

static void copy_text(cJSON *to, const cJSON *from, const char *key,
                      bool is_path)
{
    const char *text = member(from, key);
    if (text)
        cJSON_AddStringToObject(to, key, is_path ? export_base(text) : text);
    else
        cJSON_AddNullToObject(to, key);
}

/* Frames with base names of files, as the sink has them. */
static char *frames_without_paths(const cJSON *error)
{
    cJSON *origin = cJSON_GetObjectItemCaseSensitive(error, "origin");
    cJSON *frames = cJSON_GetArraySize(origin) > 0
                        ? origin
                        : cJSON_GetObjectItemCaseSensitive(error, "stack");
    cJSON *bare = cJSON_CreateArray(), *frame;
    cJSON_ArrayForEach(frame, frames)
    {
        cJSON *o = cJSON_CreateObject();
        const cJSON *line = cJSON_GetObjectItemCaseSensitive(frame, "line");
        copy_text(o, frame, "function", false);
        copy_text(o, frame, "file", true);
        if (cJSON_IsNumber(line))
            cJSON_AddNumberToObject(o, "line", line->valuedouble);
        else
            cJSON_AddNullToObject(o, "line");
        copy_text(o, frame, "object", true);
        copy_text(o, frame, "offset", false);
        copy_text(o, frame, "build_id", false);
        cJSON_AddItemToArray(bare, o);
    }
    char *text = cJSON_PrintUnformatted(bare);
    cJSON_Delete(bare);
    return text;
}

/* Texts of `out` live as long as those of `e`. */
static void read_error(struct error_texts *e, const char *json,
                       struct upload_span *out)
{
    e->parsed = json ? cJSON_Parse(json) : NULL;
    out->error_errno = out->error_cause_errno = UPLOAD_NULL;
    if (!e->parsed)
        return;
    const cJSON *cause = cJSON_GetObjectItemCaseSensitive(e->parsed, "cause");
    out->error_errno = member_number(e->parsed, "errno");
    out->error_cause_errno = member_number(cause, "errno");
    out->error_stack_ended = member(e->parsed, "stack_ended");
    out->error_kind = member(e->parsed, "kind");
    out->error_type = member(e->parsed, "type");
    out->error_rule = member(e->parsed, "rule");
    out->error_fingerprint = member(e->parsed, "fingerprint");
    out->error_cause = member(cause, "call");
    out->error_frames = e->frames = frames_without_paths(e->parsed);
}

static void fill_numbers(struct upload_span *o, const struct query_span *p)
{
    o->site = p->site;
    o->depth = p->depth;
    o->start_unix_ns = p->start_unix_ns;
    o->duration_ns = number(p->duration_ns);
    o->self_ns = number(p->self_ns);
    o->cpu_ns = number(p->cpu_ns);
    o->queue_ns = number(p->queue_ns);
}

static void read_overdue(struct error_texts *e, const struct query_overdue *o,
                         struct upload_span *out)
{
    out->overdue_unix_ns = out->overdue_limit_ns = UPLOAD_NULL;
    e->overdue = o ? cJSON_Parse(o->detail) : NULL;
    if (!e->overdue)
        return;
    out->overdue_unix_ns = o->at_unix_ns;
    out->overdue_limit_ns = o->limit_ns;
    out->overdue_frames = e->overdue_frames = frames_without_paths(e->overdue);
}

static int put_span(void *context, const struct query_span *p)
{
    struct row_export *x = context;
    struct error_texts error = {0};
    struct upload_row row = {.kind = UPLOAD_SPANS};
    struct upload_span *o = &row.span;
    fill_names(o, x, p);
    fill_numbers(o, p);
    memcpy(o->trace_id, x->trace->id, sizeof o->trace_id);
    o->span_id = query_span_id(x->detail, p->session, p->ref);
    o->parent_span_id =
        query_parent_span_id(x->detail, p->session, p->ref, p->parent_ref);
    o->process_span_id =
        query_span_id(x->detail, p->session, query_process_ref(p->process_idx));
    o->status = p->status;
    o->ended_by = p->ended_by;
    o->links = p->links;
    o->orphan = p->orphan;
    read_error(&error, p->error, o);
    read_overdue(&error, query_overdue_find(x->detail, p->session, p->ref), o);
    o->input = p->input;
    o->output = p->output;
    o->attributes = p->attributes;
    o->capture = p->capture;
    o->error = p->error;
    int err = put(x, &row);
    cJSON_Delete(error.parsed);
    cJSON_Delete(error.overdue);
    cJSON_free(error.frames);
    cJSON_free(error.overdue_frames);
    return err;
}

static int export_rows(struct view *v, const struct query_trace *trace,
                       const struct query_detail *detail, FILE *out,
                       enum rows as, bool values)
{
    struct row_export x = {.trace = trace,
                           .detail = detail,
                           .out = out,
                           .as = as,
                           .values = values};
    int err = as == ROWS_CSV ? export_csv_head(out, values) : 0;
    for (size_t i = 0; !err && i < detail->process_count; i++)
        if (detail->processes[i].trace == trace->trace)
            err = put_process(&x, &detail->processes[i]);
    if (!err)
        err = query_spans(v->db, trace->trace, true, put_span, &x);
    int end = flush(&x);
    return err ? err : end;
}

/* ---- the command --------------------------------------------------------- */

struct command {
    struct view view;
    const char *format, *output;
    bool values;
};
struct format {
    const char *name;
    int (*write)(const struct export *x); /* NULL: rows */
    enum rows rows;
};
#define FORMATS "otlp, otlp-protobuf, perfetto, chrome, speedscope, folded, csv"
static const struct format formats[] = {
    {"otlp", NULL, ROWS_JSON},    {"otlp-protobuf", NULL, ROWS_PROTOBUF},
    {"csv", NULL, ROWS_CSV},      {"perfetto", export_perfetto, 0},
    {"chrome", export_chrome, 0}, {"speedscope", export_speedscope, 0},
    {"folded", export_folded, 0}};

static const struct format *format_find(const char *word)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(word, formats[i].name) == 0)
            return &formats[i];
    return NULL;
}

static int write_to(struct command *c, const struct query_trace *trace,
                    FILE *out)
{
    const struct format *format = format_find(c->format);
    struct query_detail detail = {0};
    int err = query_detail_load(c->view.db, trace->trace, &detail);
    struct export x = export_init(&c->view, trace, &detail, out);
    if (!err && format->write)
        err = format->write(&x);
    else if (!err)
        err =
            export_rows(&c->view, trace, &detail, out, format->rows, c->values);
    query_detail_free(&detail);
    /* what could not be written is tried again, and says why not */
    bool failed = ferror(out) != 0;
    errno = 0;
    if (fflush(out) != 0 || failed)
        err = errno ? -errno : err ? err : -EIO;
    return err ? options_trouble("cannot export: %s", strerror(-err)) : 0;
}

/* No format has a place for it that its readers show. */
static void say_share(const struct command *c, const struct query_trace *trace)
{
    struct term term;
    struct share_sum sum = {0};
    term_detect(&term, stderr);
    share_sum_add(&sum, trace);
    share_sum_print(&term, c->view.db, &sum);
}

static int run(struct command *x, const struct query_trace *trace)
{
    FILE *out = x->output ? fopen(x->output, "we") : stdout;
    if (!out)
        return options_trouble("cannot write '%s': %s", x->output,
                               strerror(errno));
    int status = write_to(x, trace, out);
    if (x->output && fclose(out) != 0 && !status)
        status = options_trouble("cannot write '%s': %s", x->output,
                                 strerror(errno));
    return status;
}

int cmd_export(int argc, char **argv)
{
    struct command x = {.view = VIEW_INIT, .format = "otlp"};
    const struct option_spec specs[] = {
        VIEW_OPTIONS(x.view),
        {"format", 'f', OPTION_TEXT, "FORMAT", FORMATS, &x.format},
        {"output", 'o', OPTION_TEXT, "FILE", "instead of standard output",
         &x.output},
        {"values", 0, OPTION_FLAG, NULL,
         "otlp, csv: with inputs, outputs, messages, paths", &x.values},
    };
    const struct options o = {
        .command = "handspan export",
        .operands = "[TRACE]",
        .about =
            "A trace for other programs: OTLP as JSON lines (what the "
            "sink sends) or\nprotobuf; Perfetto's protobuf; Chrome's trace "
            "format; speedscope's; folded stacks\nby self time (flame "
            "graphs); CSV, a line a span, as COPY takes it. Without "
            "values,\nexcept otlp and csv with --values.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
        .operand_max = 1};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    if (!format_find(x.format))
        return options_trouble("--format: '%s' is none of " FORMATS, x.format);
    if (x.view.json && strcmp(x.format, "otlp") != 0)
        return options_trouble("--json: the format '%s' is another program's; "
                               "JSON lines are --format=otlp",
                               x.format);
    int status = view_open(&x.view, false);
    struct query_trace trace = {0};
    if (!status)
        status = view_choose(&x.view, operands ? argv[0] : NULL, &trace);
    if (!status) {
        status = run(&x, &trace);
        if (!status)
            say_share(&x, &trace);
        query_trace_free(&trace);
    }
    view_close(&x.view);
    return status;
}
