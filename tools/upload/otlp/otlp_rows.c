/* SPDX-License-Identifier: Apache-2.0 */
/* See otlp_rows.h. Numbers of fields are those of opentelemetry-proto. */
#define _GNU_SOURCE
#include "tools/upload/otlp/otlp_rows.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>
#include "tools/upload/otlp/otlp_url.h"

#define SCOPE "handspan"

enum { /* Span.SpanKind, Status.StatusCode */
    KIND_INTERNAL = 1,
    KIND_SERVER = 2,
    STATUS_ERROR = 2,
};
/* Field numbers of `attributes`, which differ by message. */
enum {
    RESOURCE_ATTRIBUTES = 1,
    SPAN_ATTRIBUTES = 9,
    EVENT_ATTRIBUTES = 3,
};

/* ---- attributes ---------------------------------------------------------- */

static void attribute_int(struct emit *e, unsigned field, const char *key,
                          int64_t n)
{
    if (n != UPLOAD_NULL)
        emit_attribute_int(e, field, key, n);
}

/* ---- resource ------------------------------------------------------------ */

static struct otlp_resource resource_of(const struct upload_row *row)
{
    if (row->kind == UPLOAD_SPANS)
        return (struct otlp_resource){.session = row->span.session,
                                      .process = row->span.process_span_id,
                                      .service = row->span.service,
                                      .host = row->span.host,
                                      .name = row->span.program,
                                      .attributes = row->span.resource,
                                      .pid = row->span.pid};
    return (struct otlp_resource){.session = row->process.session,
                                  .process = row->process.span_id,
                                  .service = row->process.service,
                                  .host = row->process.host,
                                  .program = row->process.program,
                                  .name = row->process.name,
                                  .attributes = row->process.resource,
                                  .pid = row->process.pid};
}

static bool is_same(const struct otlp_resource *a,
                    const struct otlp_resource *b)
{
    return a->session == b->session && a->process == b->process;
}

/* key=value,... percent-encoded, as OTEL_RESOURCE_ATTRIBUTES has it. What we
 * know better ourselves is left out. */
static void given_attributes(struct emit *e, const char *list)
{
    static const char *const ours[] = {"service.name", "host.name",
                                       "process.pid", "process.executable.name",
                                       "process.executable.path"};
    char key[256], value[2048];
    for (const char *at = list; at && *at;) {
        size_t len = strcspn(at, ",");
        const char *equal = memchr(at, '=', len);
        bool is_ours = !equal;
        if (equal) {
            otlp_decode(at, (size_t)(equal - at), key, sizeof key);
            otlp_decode(equal + 1, (size_t)(at + len - equal - 1), value,
                        sizeof value);
        }
        for (size_t i = 0; !is_ours && i < sizeof ours / sizeof *ours; i++)
            is_ours = strcmp(key, ours[i]) == 0;
        if (!is_ours && key[0])
            emit_attribute_text(e, RESOURCE_ATTRIBUTES, key, value);
        at += len + (at[len] == ',');
    }
}

/* service.name of OTEL_RESOURCE_ATTRIBUTES counts where OTEL_SERVICE_NAME is
 * not set. */
static const char *given_service(const char *list, char *out, size_t cap_bytes)
{
    static const char name[] = "service.name=";
    for (const char *at = list; at && *at;) {
        size_t len = strcspn(at, ",");
        while (*at == ' ')
            at++, len--;
        if (strncmp(at, name, sizeof name - 1) == 0) {
            otlp_decode(at + sizeof name - 1, len - (sizeof name - 1), out,
                        cap_bytes);
            return out;
        }
        at += len + (at[len] == ',');
    }
    return NULL;
}

static void put_resource(struct emit *e, const struct otlp_resource *r,
                         bool values)
{
    char service[256];
    const char *name = r->service;
    if (!name || !*name)
        name = given_service(r->attributes, service, sizeof service);
    if (!name || !*name)
        name = r->name ? r->name : "unknown_service";
    emit_open(e, 1, "resource");
    emit_list(e, "attributes");
    emit_attribute_text(e, RESOURCE_ATTRIBUTES, "service.name", name);
    emit_attribute_text(e, RESOURCE_ATTRIBUTES, "host.name", r->host);
    emit_attribute_text(e, RESOURCE_ATTRIBUTES, "host.arch", "amd64");
    emit_attribute_text(e, RESOURCE_ATTRIBUTES, "os.type", "linux");
    attribute_int(e, RESOURCE_ATTRIBUTES, "process.pid", r->pid);
    emit_attribute_text(e, RESOURCE_ATTRIBUTES, "process.executable.name",
                        r->name);
    if (values)
        emit_attribute_text(e, RESOURCE_ATTRIBUTES, "process.executable.path",
                            r->program);
    emit_attribute_text(e, RESOURCE_ATTRIBUTES, "telemetry.sdk.name",
                        "handspan");
    emit_attribute_text(e, RESOURCE_ATTRIBUTES, "telemetry.sdk.language",
                        "cpp");
    emit_attribute_text(e, RESOURCE_ATTRIBUTES, "telemetry.sdk.version",
                        HANDSPAN_VERSION);
    given_attributes(e, r->attributes);
    emit_list_end(e);
    emit_close(e);
}

/* ---- spans --------------------------------------------------------------- */

static void put_id(struct emit *e, unsigned field, const char *name,
                   uint64_t id)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(id >> (56 - 8 * i));
    if (id)
        emit_hex(e, field, name, bytes, sizeof bytes);
}

static void put_times(struct emit *e, int64_t start_ns, int64_t duration_ns)
{
    int64_t end = start_ns + (duration_ns > 0 ? duration_ns : 0);
    emit_fixed64(e, 7, "startTimeUnixNano", (uint64_t)start_ns);
    emit_fixed64(e, 8, "endTimeUnixNano", (uint64_t)end);
}

static void put_status(struct emit *e, const char *status, const char *message)
{
    emit_open(e, 15, "status");
    if (status && strcmp(status, "error") == 0) {
        emit_text(e, 2, "message", message);
        emit_number(e, 3, "code", STATUS_ERROR);
    }
    emit_close(e);
}

static const char *member(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
}

/* "function (file:line)", or where in which object; base names of files. */
static void frame_text(struct buf *text, const cJSON *frame)
{
    const char *function = member(frame, "function");
    const char *file = member(frame, "file"), *object = member(frame, "object");
    const cJSON *line = cJSON_GetObjectItem(frame, "line");
    const char *offset = member(frame, "offset");
    buf_printf(text, "    at %s", function ? function : "?");
    if (file)
        buf_printf(text, " (%s:%d)", file, line ? line->valueint : 0);
    else if (object)
        buf_printf(text, " (%s%s%s)", object, offset ? "+" : "",
                   offset ? offset : "");
    buf_char(text, '\n');
}

/* As debuggers write it: "TYPE: MESSAGE", then a line a frame, the innermost
 * first. */
static void put_stack(struct emit *e, const char *key, const char *json,
                      const char *type, const char *message)
{
    struct buf text;
    cJSON *frames = json ? cJSON_Parse(json) : NULL, *frame;
    buf_init(&text, 65536);
    buf_printf(&text, "%s%s%s\n", type, message ? ": " : "",
               message ? message : "");
    cJSON_ArrayForEach(frame, frames) frame_text(&text, frame);
    if (cJSON_GetArraySize(frames) > 0)
        emit_attribute_text(e, EVENT_ATTRIBUTES, key, buf_get(&text));
    buf_free(&text);
    cJSON_Delete(frames);
}

/* What an error says. The message is a value; a rule, which stands in the
 * manifest, is none. */
static const char *message_of(const struct upload_span *s, const cJSON *error)
{
    const char *message = member(error, "message");
    return message ? message : s->error_rule;
}

/* Where its thread was when its time was over. */
static void put_overdue(struct emit *e, const struct upload_span *s)
{
    if (!s->overdue_frames)
        return;
    emit_item(e, 11);
    emit_fixed64(e, 1, "timeUnixNano", (uint64_t)s->overdue_unix_ns);
    emit_text(e, 2, "name", "overdue");
    emit_list(e, "attributes");
    attribute_int(e, EVENT_ATTRIBUTES, "handspan.overdue.limit_ns",
                  s->overdue_limit_ns);
    put_stack(e, "code.stacktrace", s->overdue_frames, "overdue", NULL);
    emit_list_end(e);
    emit_close(e);
}

/* Whatever failed is an exception there, the only event that stacks have. */
static void put_exception(struct emit *e, const struct upload_span *s,
                          const cJSON *error)
{
    if (!s->error_kind)
        return;
    const char *type = s->error_type ? s->error_type : s->error_kind;
    const char *message = message_of(s, error);
    int64_t at = s->start_unix_ns + (s->duration_ns > 0 ? s->duration_ns : 0);
    emit_item(e, 11);
    emit_fixed64(e, 1, "timeUnixNano", (uint64_t)at);
    emit_text(e, 2, "name", "exception");
    emit_list(e, "attributes");
    emit_attribute_text(e, EVENT_ATTRIBUTES, "exception.type", type);
    emit_attribute_text(e, EVENT_ATTRIBUTES, "exception.message", message);
    put_stack(e, "exception.stacktrace", s->error_frames, type, message);
    emit_list_end(e);
    emit_close(e);
}

static void put_events(struct emit *e, const struct upload_span *s,
                       const cJSON *error)
{
    if (!s->overdue_frames && !s->error_kind)
        return;
    emit_list(e, "events");
    put_overdue(e, s);
    put_exception(e, s, error);
    emit_list_end(e);
}

static bool unhex(const char *text, uint8_t *out, size_t len)
{
    if (!text || strlen(text) != 2 * len)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned byte;
        if (strspn(text + 2 * i, "0123456789abcdefABCDEF") < 2 ||
            sscanf(text + 2 * i, "%2x", &byte) != 1)
            return false;
        out[i] = (uint8_t)byte;
    }
    return true;
}

static void put_links(struct emit *e, const char *json)
{
    cJSON *links = json ? cJSON_Parse(json) : NULL, *link;
    int lost = 0;
    if (cJSON_GetArraySize(links) > 0) {
        emit_list(e, "links");
        cJSON_ArrayForEach(link, links)
        {
            uint8_t trace[16], span[8];
            if (!unhex(member(link, "trace_id"), trace, sizeof trace) ||
                !unhex(member(link, "span_id"), span, sizeof span)) {
                lost++;
                continue;
            }
            emit_item(e, 13);
            emit_hex(e, 1, "traceId", trace, sizeof trace);
            emit_hex(e, 2, "spanId", span, sizeof span);
            emit_close(e);
        }
        emit_list_end(e);
    }
    if (lost)
        emit_number(e, 14, "droppedLinksCount", (uint32_t)lost);
    cJSON_Delete(links);
}

/* Captured values that could not be read, or were lost: they are attributes
 * that are not there. */
static uint32_t count_unreadable(const char *capture)
{
    uint32_t count = 0;
    cJSON *marks = capture ? cJSON_Parse(capture) : NULL, *mark;
    cJSON_ArrayForEach(mark, marks)
    {
        if (cJSON_IsTrue(cJSON_GetObjectItem(mark, "unreadable")) ||
            cJSON_HasObjectItem(mark, "lost"))
            count++;
    }
    cJSON_Delete(marks);
    return count;
}

/* Values go as the JSON text of the store: nothing in it changes. */
static void put_values(struct emit *e, const struct upload_span *s)
{
    static const char empty[] = "{}";
    const struct {
        const char *key, *text;
    } all[] = {{"handspan.input", s->input},
               {"handspan.output", s->output},
               {"handspan.attributes", s->attributes},
               {"handspan.capture", s->capture},
               {"handspan.error", s->error}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].text && strcmp(all[i].text, empty) != 0)
            emit_attribute_text(e, SPAN_ATTRIBUTES, all[i].key, all[i].text);
}

static void put_attributes(struct emit *e, const struct upload_span *s,
                           bool values)
{
    emit_list(e, "attributes");
    const char *slash = s->file && !values ? strrchr(s->file, '/') : NULL;
    emit_attribute_text(e, SPAN_ATTRIBUTES, "code.function.name", s->symbol);
    emit_attribute_text(e, SPAN_ATTRIBUTES, "code.file.path",
                        slash ? slash + 1 : s->file);
    attribute_int(e, SPAN_ATTRIBUTES, "code.line.number",
                  s->file ? s->line : UPLOAD_NULL);
    attribute_int(e, SPAN_ATTRIBUTES, "thread.id", s->tid);
    emit_attribute_text(e, SPAN_ATTRIBUTES, "thread.name", s->thread_name);
    emit_attribute_text(e, SPAN_ATTRIBUTES, "error.type",
                        s->error_type ? s->error_type : s->error_kind);
    emit_attribute_text(e, SPAN_ATTRIBUTES, "handspan.error.rule",
                        s->error_rule);
    emit_attribute_text(e, SPAN_ATTRIBUTES, "handspan.error.cause",
                        s->error_cause);
    emit_attribute_text(e, SPAN_ATTRIBUTES, "handspan.error.group",
                        s->error_fingerprint);
    emit_attribute_text(e, SPAN_ATTRIBUTES, "handspan.orphan", s->orphan);
    emit_attribute_text(e, SPAN_ATTRIBUTES, "handspan.object", s->object);
    emit_attribute_text(e, SPAN_ATTRIBUTES, "handspan.status", s->status);
    emit_attribute_text(e, SPAN_ATTRIBUTES, "handspan.ended_by", s->ended_by);
    attribute_int(e, SPAN_ATTRIBUTES, "handspan.self_ns", s->self_ns);
    attribute_int(e, SPAN_ATTRIBUTES, "handspan.cpu_ns", s->cpu_ns);
    attribute_int(e, SPAN_ATTRIBUTES, "handspan.queue_ns", s->queue_ns);
    if (values)
        put_values(e, s);
    emit_list_end(e);
    uint32_t lost = values ? count_unreadable(s->capture) : 0;
    if (lost)
        emit_number(e, 10, "droppedAttributesCount", lost);
}

static void put_span(struct emit *e, const struct upload_span *s, bool values)
{
    cJSON *error = values && s->error ? cJSON_Parse(s->error) : NULL;
    emit_hex(e, 1, "traceId", s->trace_id, sizeof s->trace_id);
    put_id(e, 2, "spanId", s->span_id);
    put_id(e, 4, "parentSpanId", s->parent_span_id);
    emit_text(e, 5, "name", s->name ? s->name : "?");
    emit_number(e, 6, "kind", s->is_root == 1 ? KIND_SERVER : KIND_INTERNAL);
    put_times(e, s->start_unix_ns, s->duration_ns);
    put_attributes(e, s, values);
    put_events(e, s, error);
    put_links(e, s->links);
    put_status(e, s->status, message_of(s, error));
    cJSON_Delete(error);
}

static void put_process(struct emit *e, const struct upload_process *p,
                        bool values)
{
    emit_hex(e, 1, "traceId", p->trace_id, sizeof p->trace_id);
    put_id(e, 2, "spanId", p->span_id);
    put_id(e, 4, "parentSpanId", p->parent_span_id);
    emit_text(e, 5, "name", p->name ? p->name : "?");
    emit_number(e, 6, "kind", KIND_INTERNAL);
    put_times(e, p->start_unix_ns, p->duration_ns);
    emit_list(e, "attributes");
    emit_attribute_text(e, SPAN_ATTRIBUTES, "handspan.status", p->status);
    emit_attribute_text(e, SPAN_ATTRIBUTES, "handspan.ended_by", p->ended_by);
    attribute_int(e, SPAN_ATTRIBUTES, "process.exit.code", p->exit_code);
    attribute_int(e, SPAN_ATTRIBUTES, "handspan.signal", p->signal);
    attribute_int(e, SPAN_ATTRIBUTES, "handspan.cpu_ns", p->cpu_ns);
    attribute_int(e, SPAN_ATTRIBUTES, "handspan.loading_ns", p->loading_ns);
    attribute_int(e, SPAN_ATTRIBUTES, "handspan.peak_bytes", p->peak_bytes);
    if (values)
        emit_attribute_text(e, SPAN_ATTRIBUTES, "handspan.command", p->command);
    emit_list_end(e);
    put_status(e, p->status, NULL);
}

/* ---- requests ------------------------------------------------------------ */

bool otlp_is_final(const struct upload_row *row)
{
    const char *status = row->kind == UPLOAD_SPANS       ? row->span.status
                         : row->kind == UPLOAD_PROCESSES ? row->process.status
                                                         : NULL;
    return status && strcmp(status, "open") != 0;
}

static void begin_resource(struct emit *e, const struct otlp_resource *r,
                           bool values)
{
    emit_item(e, 1);
    put_resource(e, r, values);
    emit_list(e, "scopeSpans");
    emit_item(e, 2);
    emit_open(e, 1, "scope");
    emit_text(e, 1, "name", SCOPE);
    emit_text(e, 2, "version", HANDSPAN_VERSION);
    emit_close(e);
    emit_list(e, "spans");
}

static void end_resource(struct emit *e)
{
    emit_list_end(e);
    emit_close(e);
    emit_list_end(e);
    emit_close(e);
}

void otlp_begin(struct otlp_request *q, enum emit_encoding encoding,
                bool values, size_t max_bytes)
{
    *q = (struct otlp_request){.values = values};
    emit_begin(&q->emit, encoding, max_bytes);
    emit_list(&q->emit, "resourceSpans");
}

void otlp_add(struct otlp_request *q, const struct upload_row *row)
{
    struct otlp_resource r = resource_of(row);
    bool is_other = q->count == 0 || !is_same(&q->now, &r);
    if (q->count > 0 && is_other)
        end_resource(&q->emit);
    if (is_other)
        begin_resource(&q->emit, &r, q->values);
    q->now = r;
    q->count++;
    emit_item(&q->emit, 2);
    if (row->kind == UPLOAD_SPANS)
        put_span(&q->emit, &row->span, q->values);
    else
        put_process(&q->emit, &row->process, q->values);
    emit_close(&q->emit);
}

void otlp_end(struct otlp_request *q)
{
    if (q->count > 0)
        end_resource(&q->emit);
    emit_list_end(&q->emit);
    emit_end(&q->emit);
}
