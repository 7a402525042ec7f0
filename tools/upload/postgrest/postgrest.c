/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink for PostgREST and InsForge: rows as one bulk insert a request, with
 * the columns named and duplicates ignored, so that the same rows again are no
 * harm. One request is one transaction there: all rows or none. The schema is
 * sql/postgres/; its table handspan_schema says that the tables are ours.
 */
#define _GNU_SOURCE
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/upload/postgrest/answers.h"
#include "tools/upload/postgrest/columns.h"
#include "tools/upload/http/http.h"

enum {
    BODY_MAX = 24 << 20,
    PATH_MAX_BYTES = UPLOAD_URL_MAX,
};
struct postgrest {
    struct upload_url url; /* a copy: its key may change */
    struct http *http;
    const char *records; /* "/api/database/records" or "" */
    bool is_checked;
    int version; /* of handspan_schema there; 0: not known yet */
    char spans_key[128];
    struct buf body;
    struct http_answer answer;
    char authorization[UPLOAD_KEY_MAX + 32];
};

static int postgrest_open(const struct upload_url *url, void **out, char *why,
                          size_t why_bytes)
{
    struct postgrest *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->url = *url;
    bool is_insforge = strncmp(url->scheme, "insforge", 8) == 0;
    p->records = is_insforge ? "/api/database/records" : "";
    buf_init(&p->body, BODY_MAX);
    int rc = http_open(&p->url, &p->http);
    if (rc != 0) {
        http_open_why(rc, why, why_bytes);
        free(p);
        return rc;
    }
    *out = p;
    return 0;
}

static void postgrest_close(void *sink)
{
    struct postgrest *p = sink;
    http_close(p->http);
    buf_free(&p->body);
    explicit_bzero(p, sizeof *p);
    free(p);
}

/* ---- requests ------------------------------------------------------------ */

static void ask(struct postgrest *p, const char *method, const char *path,
                const char *body, size_t len_bytes)
{
    const char *headers[HTTP_HEADERS] = {0};
    int n = 0;
    if (p->url.key[0]) {
        snprintf(p->authorization, sizeof p->authorization,
                 "Authorization: Bearer %s", p->url.key);
        headers[n++] = p->authorization;
    }
    headers[n++] = "Accept: application/json";
    if (body) {
        headers[n++] = "Content-Type: application/json";
        headers[n++] = "Prefer: return=minimal,resolution=ignore-duplicates";
    }
    http_request(p->http, method, path, headers, body, len_bytes, &p->answer);
}

static void judge(struct postgrest *p, struct sink_answer *out)
{
    answers_judge(&p->answer, out);
    bool is_refused = p->answer.status == 401 || p->answer.status == 403;
    if (is_refused && upload_url_key(&p->url)) {
        out->verdict = SINK_RETRY; /* with the new key */
        out->retry_after_ms = 0;
    }
    if (out->verdict == SINK_HOLD)
        p->is_checked = false; /* look at the schema again before the next */
}

/* ---- are those tables ours? ---------------------------------------------- */

static void not_ours(struct postgrest *p, struct sink_answer *out,
                     const char *what)
{
    out->verdict = SINK_HOLD;
    snprintf(out->message, sizeof out->message,
             "no handspan tables with prefix '%s' at %.200s: %s; apply the "
             "migrations of sql/postgres (docs/upload.md), or name another "
             "?prefix=",
             p->url.prefix, p->url.base, what);
}

static void schema_read(struct postgrest *p, struct sink_answer *out)
{
    cJSON *all = cJSON_ParseWithLength(p->answer.body, p->answer.len_bytes);
    const cJSON *row = cJSON_IsArray(all) ? cJSON_GetArrayItem(all, 0) : NULL;
    const cJSON *version = cJSON_GetObjectItem(row, "version");
    const cJSON *key = cJSON_GetObjectItem(row, "spans_key");
    if (!cJSON_IsArray(all)) {
        not_ours(p, out,
                 strncmp(p->answer.type, "text/html", 9) == 0
                     ? "a web page, not PostgREST"
                     : "the answer is no JSON array");
        snprintf(out->code, sizeof out->code, "%ld", p->answer.status);
    } else if (!cJSON_IsNumber(version) || !cJSON_IsString(key) ||
               strspn(key->valuestring, "abcdefghijklmnopqrstuvwxyz_,") !=
                   strlen(key->valuestring) ||
               strlen(key->valuestring) >= sizeof p->spans_key) {
        not_ours(p, out, "'handspan_schema' has no row");
    } else if (version->valueint < COLUMNS_SCHEMA) {
        not_ours(
            p, out,
            "their schema is older than this handspan (the migrations up to "
            "0004 are needed)");
    } else {
        snprintf(p->spans_key, sizeof p->spans_key, "%s", key->valuestring);
        p->version = version->valueint;
        p->is_checked = true;
        out->verdict = SINK_OK;
    }
    cJSON_Delete(all);
}

static bool is_ours(struct postgrest *p, struct sink_answer *out)
{
    char path[PATH_MAX_BYTES];
    if (p->is_checked)
        return true;
    snprintf(path, sizeof path,
             "%s/%shandspan_schema?select=version,spans_key&limit=1",
             p->records, p->url.prefix);
    ask(p, "GET", path, NULL, 0);
    if (p->answer.status == 200) {
        schema_read(p, out);
        return p->is_checked;
    }
    judge(p, out);
    /* the server's own reason, where it gives one, says more */
    bool has_reason = out->code[strcspn(out->code, " ")] != 0;
    if (p->answer.status == 404 || (p->answer.status == 400 && !has_reason))
        not_ours(p, out, "there is no table 'handspan_schema'");
    if (out->verdict == SINK_OK)
        not_ours(p, out, "a question is not answered with 201");
    if (out->verdict == SINK_POISON)
        out->verdict = SINK_HOLD;
    return false;
}

/* ---- rows ---------------------------------------------------------------- */

static void insert(struct postgrest *p, enum upload_kind kind, bool values,
                   const char *body, size_t len_bytes, struct sink_answer *out)
{
    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    buf_printf(&path, "%s/%s%s?columns=", p->records, p->url.prefix,
               upload_kind_name[kind]);
    columns_names(kind, values, p->version, &path);
    buf_printf(&path, "&on_conflict=%s",
               kind == UPLOAD_SPANS ? p->spans_key : upload_columns[kind].key);
    ask(p, "POST", buf_get(&path), body, len_bytes);
    buf_free(&path);
    judge(p, out);
    out->sent_bytes = (int64_t)len_bytes;
    if (out->verdict != SINK_HOLD || p->answer.status == 401 ||
        p->answer.status == 403)
        return;
    size_t len = strlen(out->message);
    snprintf(out->message + len, sizeof out->message - len,
             " (table '%s%s': is it handspan's, of this version? see "
             "docs/upload.md)",
             p->url.prefix, upload_kind_name[kind]);
}

static void answer_clear(struct sink_answer *out)
{
    *out = (struct sink_answer){.verdict = SINK_HOLD, .retry_after_ms = -1};
}

static void postgrest_send(void *sink, const struct upload_row *rows,
                           uint32_t count, struct sink_answer *out)
{
    struct postgrest *p = sink;
    answer_clear(out);
    if (!is_ours(p, out))
        return;
    buf_reset(&p->body);
    for (uint32_t i = 0; i < count; i++) {
        buf_char(&p->body, i ? ',' : '[');
        columns_json(&rows[i], p->url.values, p->version, &p->body);
    }
    buf_char(&p->body, ']');
    if (p->body.failed) {
        out->verdict = SINK_HALVE;
        snprintf(out->code, sizeof out->code, "too large");
        snprintf(out->message, sizeof out->message,
                 "more than %d MiB in one request", BODY_MAX >> 20);
        return;
    }
    insert(p, rows[0].kind, p->url.values, buf_get(&p->body), p->body.len_bytes,
           out);
}

static char *postgrest_body(void *sink, const struct upload_row *row)
{
    struct postgrest *p = sink;
    struct buf one;
    buf_init(&one, BODY_MAX);
    columns_json(row, p->url.values, p->version, &one);
    char *copy = one.failed ? NULL : strdup(buf_get(&one));
    buf_free(&one);
    return copy;
}

static void postgrest_resend(void *sink, enum upload_kind kind,
                             const char *body, struct sink_answer *out)
{
    struct postgrest *p = sink;
    answer_clear(out);
    bool has_values =
        strstr(body, ",\"input\":") || strstr(body, ",\"command\":");
    if (kind >= UPLOAD_KINDS || (has_values && !p->url.values)) {
        out->verdict = SINK_POISON;
        snprintf(out->code, sizeof out->code, "values");
        snprintf(out->message, sizeof out->message,
                 "the row was kept with values, which this sink does not send");
        return;
    }
    if (!is_ours(p, out))
        return;
    buf_reset(&p->body);
    buf_char(&p->body, '[');
    buf_text(&p->body, body);
    buf_char(&p->body, ']');
    insert(p, kind, has_values, buf_get(&p->body), p->body.len_bytes, out);
}

static const char *const schemes[] = {"postgrest+http", "postgrest+https",
                                      "insforge+http", "insforge+https", NULL};
const struct sink_ops sink_postgrest = {
    .schemes = schemes,
    .batch_rows = 500,
    .batch_rows_max = 4000,
    .kinds = (1u << UPLOAD_KINDS) - 1,
    .open = postgrest_open,
    .send = postgrest_send,
    .body = postgrest_body,
    .resend = postgrest_resend,
    .close = postgrest_close,
};
