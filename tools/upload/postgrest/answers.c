/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers: see answers.h. The database's own code decides where there is one,
 * since a proxy in between may change the status.
 */
#define _GNU_SOURCE
#include "tools/upload/postgrest/answers.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

struct rule {
    const char *code; /* beginning of an SQLSTATE, PostgREST or InsForge code */
    enum sink_verdict verdict;
    bool is_ambiguous;
};
/* The first that fits. */
static const struct rule by_code[] = {
    {"57014", SINK_HALVE, true},   /* statement timeout: the server's moment */
    {"54", SINK_HALVE, false},     /* program limit exceeded */
    {"40", SINK_RETRY, true},      /* serialization failure, deadlock */
    {"08", SINK_RETRY, true},      /* connection */
    {"53", SINK_RETRY, true},      /* insufficient resources */
    {"57", SINK_RETRY, true},      /* shut down, crash */
    {"58", SINK_RETRY, true},      /* system error */
    {"55", SINK_RETRY, true},      /* object not in state, lock */
    {"25006", SINK_RETRY, true},   /* read only: a standby, for now */
    {"PGRST00", SINK_RETRY, true}, /* PostgREST has no database */
    {"PGRST102", SINK_POISON, false}, {"22", SINK_POISON, false}, /* data */
    {"23", SINK_POISON, false}, /* constraint */
    {"21000", SINK_HOLD, false},      {"28", SINK_HOLD, false},
    {"42", SINK_HOLD, false}, /* no such table, column, privilege */
    {"PGRST", SINK_HOLD, false},
};
static const struct {
    long low, high;
    enum sink_verdict verdict;
    bool is_ambiguous;
} by_status[] = {
    {201, 201, SINK_OK, false},     /* also where no row was new */
    {400, 400, SINK_POISON, false}, /* no code: guarded by the engine */
    {408, 408, SINK_RETRY, true},   {413, 413, SINK_HALVE, false},
    {422, 422, SINK_POISON, false}, {425, 425, SINK_RETRY, false},
    {429, 429, SINK_RETRY, false},  {500, 599, SINK_RETRY, true},
};

static void read_body(const struct http_answer *a, char *code, size_t code_cap,
                      char *message, size_t message_cap)
{
    cJSON *body = cJSON_ParseWithLength(a->body, a->len_bytes);
    const cJSON *c = cJSON_GetObjectItem(body, "code");
    const cJSON *m = cJSON_GetObjectItem(body, "message");
    if (!cJSON_IsString(c))
        c = cJSON_GetObjectItem(body, "error");
    if (cJSON_IsString(c))
        http_clean(a, c->valuestring);
    if (cJSON_IsString(m))
        http_clean(a, m->valuestring);
    snprintf(code, code_cap, "%s", cJSON_IsString(c) ? c->valuestring : "");
    snprintf(message, message_cap, "%s",
             cJSON_IsString(m) ? m->valuestring : "");
    cJSON_Delete(body);
}

static const struct rule *rule_of(const char *code)
{
    for (size_t i = 0; i < sizeof by_code / sizeof *by_code; i++)
        if (strncmp(code, by_code[i].code, strlen(by_code[i].code)) == 0)
            return &by_code[i];
    return NULL;
}

void answers_by_code(const char *code, struct sink_answer *out)
{
    const struct rule *rule = rule_of(code);
    out->verdict = rule ? rule->verdict : SINK_HOLD;
    out->is_ambiguous = rule && rule->is_ambiguous;
}

static void by_status_of(const struct http_answer *a, struct sink_answer *out)
{
    out->verdict = SINK_HOLD;
    for (size_t i = 0; i < sizeof by_status / sizeof *by_status; i++)
        if (a->status >= by_status[i].low && a->status <= by_status[i].high) {
            out->verdict = by_status[i].verdict;
            out->is_ambiguous = by_status[i].is_ambiguous;
            return;
        }
}

static const char *plain_words(const struct http_answer *a)
{
    switch (a->status) {
    case 401:
        return "the key is missing, wrong or expired";
    case 403:
        return "the key may not do that";
    case 404:
        return "nothing of that name there";
    default:
        if (a->status >= 300 && a->status < 400)
            return "a redirect, which is not followed: name the place itself";
        if (strncmp(a->type, "text/html", 9) == 0)
            return "a web page, not PostgREST";
        return a->status < 300 ? "not what PostgREST answers (201)" : "";
    }
}

void answers_judge(const struct http_answer *a, struct sink_answer *out)
{
    char code[64] = "", message[400] = "";
    out->retry_after_ms = a->retry_after_ms;
    out->is_ambiguous = false;
    if (a->status == 0) {
        out->verdict = SINK_RETRY;
        out->is_ambiguous = a->is_sent;
        snprintf(out->code, sizeof out->code, "network");
        snprintf(out->message, sizeof out->message, "%s", a->error);
        return;
    }
    read_body(a, code, sizeof code, message, sizeof message);
    by_status_of(a, out);
    const struct rule *rule = a->status >= 400 ? rule_of(code) : NULL;
    bool is_key = a->status == 401 || a->status == 403;
    if (rule && !is_key) {
        out->verdict = rule->verdict;
        out->is_ambiguous = rule->is_ambiguous;
    }
    if (out->verdict == SINK_OK && strncmp(a->type, "text/html", 9) == 0)
        out->verdict = SINK_HOLD;
    if (out->verdict == SINK_OK) {
        out->code[0] = out->message[0] = 0;
        return;
    }
    snprintf(out->code, sizeof out->code, "%ld%s%.24s", a->status,
             code[0] ? " " : "", code);
    snprintf(out->message, sizeof out->message, "HTTP %ld: %s%s%s", a->status,
             plain_words(a), plain_words(a)[0] && message[0] ? ": " : "",
             message);
}
