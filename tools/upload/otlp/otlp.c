/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink for any OpenTelemetry collector: POST BASE/v1/traces, protobuf or
 * JSON, gzip. OTLP knows no duplicates: rows of an answer that was lost are
 * sent again and may be there twice. Options of the URL: protocol=json,
 * gzip=off, path=, headers-env=NAME.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "tools/upload/http/http.h"
#include "tools/upload/otlp/otlp_answers.h"
#include "tools/upload/otlp/otlp_rows.h"
#include "tools/upload/otlp/otlp_url.h"

enum {
    BODY_MAX = 16 << 20,
    HEADERS_MAX = 16,
    HEADER_BYTES = UPLOAD_KEY_MAX + 64,
    SENT_MAX = 4096, /* processes that were sent as spans */
    GZIP_WINDOW = 15 + 16,
};
struct otlp {
    struct upload_url url; /* a copy: its key may change */
    struct http *http;
    struct http_answer answer;
    bool is_json, is_gzip;
    char path[256];
    char header[HEADERS_MAX][HEADER_BYTES];
    const char *headers[HEADERS_MAX + 1];
    int header_count; /* of the user's own; ours are put behind */
    uint64_t sent[SENT_MAX];
    uint32_t sent_count;
    unsigned char *packed;
    size_t packed_cap;
};

static void option(const struct upload_url *url, const char *name,
                   const char *otherwise, char *out, size_t cap_bytes)
{
    if (!upload_url_option(url, name, out, cap_bytes))
        snprintf(out, cap_bytes, "%s", otherwise);
}

/* ---- headers ------------------------------------------------------------- */

/* NAME=VALUE,... percent-encoded, as OTEL_EXPORTER_OTLP_HEADERS has it. */
static void own_headers(struct otlp *o, const char *list)
{
    char name[256], value[HEADER_BYTES - 300];
    for (const char *at = list; at && *at;) {
        size_t len = strcspn(at, ",");
        const char *equal = memchr(at, '=', len);
        if (equal && o->header_count < HEADERS_MAX - 4) {
            otlp_decode(at, (size_t)(equal - at), name, sizeof name);
            otlp_decode(equal + 1, (size_t)(at + len - equal - 1), value,
                        sizeof value);
            if (name[0] && !strpbrk(name, "\r\n: ") && !strpbrk(value, "\r\n"))
                snprintf(o->header[o->header_count++], HEADER_BYTES, "%s: %s",
                         name, value);
        }
        at += len + (at[len] == ',');
    }
}

static void fill_headers(struct otlp *o, bool is_packed)
{
    int n = 0;
    for (; n < o->header_count; n++)
        o->headers[n] = o->header[n];
    if (o->url.key[0]) {
        snprintf(o->header[n], HEADER_BYTES, "Authorization: Bearer %s",
                 o->url.key);
        o->headers[n] = o->header[n];
        n++;
    }
    o->headers[n++] = o->is_json ? "Content-Type: application/json"
                                 : "Content-Type: application/x-protobuf";
    if (is_packed)
        o->headers[n++] = "Content-Encoding: gzip";
    o->headers[n] = NULL;
}

/* ---- open ---------------------------------------------------------------- */

static int otlp_open(const struct upload_url *url, void **out, char *why,
                     size_t why_bytes)
{
    char text[256];
    struct otlp *o = calloc(1, sizeof *o);
    if (!o)
        return -ENOMEM;
    o->url = *url;
    option(url, "protocol", "protobuf", text, sizeof text);
    o->is_json = strcmp(text, "json") == 0;
    option(url, "gzip", "on", text, sizeof text);
    o->is_gzip = strcmp(text, "off") != 0;
    option(url, "path", "/v1/traces", o->path, sizeof o->path);
    option(url, "headers-env", "", text, sizeof text);
    if (text[0])
        own_headers(o, getenv(text));
    int rc = http_open(&o->url, &o->http);
    if (rc != 0) {
        http_open_why(rc, why, why_bytes);
        free(o);
        return rc;
    }
    *out = o;
    return 0;
}

static void otlp_close(void *sink)
{
    struct otlp *o = sink;
    http_close(o->http);
    free(o->packed);
    explicit_bzero(o, sizeof *o);
    free(o);
}

/* ---- requests ------------------------------------------------------------ */

static void judge(struct otlp *o, struct sink_answer *out)
{
    long status = o->answer.status;
    otlp_judge(&o->answer, out);
    if ((status == 401 || status == 403) && upload_url_key(&o->url)) {
        out->verdict = SINK_RETRY; /* with the new key */
        out->retry_after_ms = 0;
    }
}

/* Packed bytes, or 0: send it as it is. */
static size_t pack(struct otlp *o, const struct buf *body)
{
    z_stream z = {0};
    if (!o->is_gzip || deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW,
                                    8, Z_DEFAULT_STRATEGY) != Z_OK)
        return 0;
    size_t need = deflateBound(&z, body->len_bytes), len = 0;
    if (need > o->packed_cap) {
        free(o->packed);
        o->packed = malloc(need);
        o->packed_cap = o->packed ? need : 0;
    }
    if (o->packed) {
        z.next_in = (Bytef *)body->text;
        z.avail_in = (uInt)body->len_bytes;
        z.next_out = o->packed;
        z.avail_out = (uInt)o->packed_cap;
        len = deflate(&z, Z_FINISH) == Z_STREAM_END ? z.total_out : 0;
    }
    deflateEnd(&z);
    return len;
}

static void post(struct otlp *o, const struct buf *body,
                 struct sink_answer *out)
{
    size_t packed = pack(o, body);
    fill_headers(o, packed > 0);
    http_request(o->http, "POST", o->path, o->headers,
                 packed ? (const void *)o->packed : body->text,
                 packed ? packed : body->len_bytes, &o->answer);
    out->sent_bytes = (int64_t)(packed ? packed : body->len_bytes);
    judge(o, out);
}

/* A process comes with each entry of its session, also after its end; as a
 * span it goes once. (Another uploader later on does not know: a duplicate.) */
static bool was_sent(const struct otlp *o, uint64_t id)
{
    uint32_t count = o->sent_count < SENT_MAX ? o->sent_count : SENT_MAX;
    for (uint32_t i = 0; i < count; i++)
        if (o->sent[i] == id)
            return true;
    return false;
}

static void note_sent(struct otlp *o, const struct upload_row *row)
{
    if (row->kind == UPLOAD_PROCESSES)
        o->sent[o->sent_count++ % SENT_MAX] = row->process.span_id;
}

static void otlp_send(void *sink, const struct upload_row *rows, uint32_t count,
                      struct sink_answer *out)
{
    struct otlp *o = sink;
    struct otlp_request q;
    *out = (struct sink_answer){.verdict = SINK_OK, .retry_after_ms = -1};
    struct upload_row *fit = malloc((count + 1) * sizeof *fit);
    uint32_t n = 0;
    for (uint32_t i = 0; fit && i < count; i++)
        if (otlp_is_final(&rows[i]) && (rows[i].kind != UPLOAD_PROCESSES ||
                                        !was_sent(o, rows[i].process.span_id)))
            fit[n++] = rows[i];
    if (!fit || n == 0) {
        out->verdict = fit ? SINK_OK : SINK_RETRY;
        free(fit);
        return;
    }
    otlp_begin(&q, o->is_json ? EMIT_JSON : EMIT_PROTOBUF, o->url.values,
               BODY_MAX);
    for (uint32_t i = 0; i < n; i++)
        otlp_add(&q, &fit[i]);
    otlp_end(&q);
    if (q.emit.out.failed) {
        out->verdict = SINK_HALVE;
        snprintf(out->code, sizeof out->code, "too large");
        snprintf(out->message, sizeof out->message,
                 "more than %d MiB in one request", BODY_MAX >> 20);
    } else {
        post(o, &q.emit.out, out);
    }
    for (uint32_t i = 0; out->verdict == SINK_OK && i < n; i++)
        note_sent(o, &fit[i]);
    emit_free(&q.emit);
    free(fit);
}

/* Refused rows are kept as JSON, for people; and sent again so. */
static char *otlp_body(void *sink, const struct upload_row *row)
{
    struct otlp *o = sink;
    struct otlp_request q;
    otlp_begin(&q, EMIT_JSON, o->url.values, BODY_MAX);
    otlp_add(&q, row);
    otlp_end(&q);
    char *copy = q.emit.out.failed ? NULL : strdup(buf_get(&q.emit.out));
    emit_free(&q.emit);
    return copy;
}

static void otlp_resend(void *sink, enum upload_kind kind, const char *body,
                        struct sink_answer *out)
{
    struct otlp *o = sink;
    struct buf copy;
    (void)kind;
    *out = (struct sink_answer){.verdict = SINK_HOLD, .retry_after_ms = -1};
    if (!o->url.values && strstr(body, "\"handspan.input\"")) {
        out->verdict = SINK_POISON;
        snprintf(out->code, sizeof out->code, "values");
        return;
    }
    bool was_json = o->is_json;
    buf_init(&copy, BODY_MAX);
    buf_text(&copy, body);
    o->is_json = true;
    post(o, &copy, out);
    o->is_json = was_json;
    buf_free(&copy);
}

static const char *const schemes[] = {"otlp+http", "otlp+https", NULL};
static const struct upload_option options[] = {{"protocol", "json|protobuf"},
                                               {"gzip", "on|off"},
                                               {"path", NULL},
                                               {"headers-env", NULL},
                                               {NULL, NULL}};
const struct sink_ops sink_otlp = {
    .schemes = schemes,
    .options = options,
    .batch_rows = 500,
    .batch_rows_max = 2000,
    .kinds = 1u << UPLOAD_SPANS | 1u << UPLOAD_PROCESSES,
    .open = otlp_open,
    .send = otlp_send,
    .body = otlp_body,
    .resend = otlp_resend,
    .close = otlp_close,
};
