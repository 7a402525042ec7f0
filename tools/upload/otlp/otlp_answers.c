/* SPDX-License-Identifier: Apache-2.0 */
/* See otlp_answers.h. An answer is foreign: each length is checked, and what it
 * says of a key is masked. */
#define _GNU_SOURCE
#include "tools/upload/otlp/otlp_answers.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a receiver said: ExportTraceServiceResponse, or google.rpc.Status. */
struct said {
    char text[400];
    int64_t rejected;
};

/* ---- protobuf ------------------------------------------------------------ */

/* Protobuf's wire format, as far as an answer needs it: a varint. */
static bool read_varint(const uint8_t **at, const uint8_t *end, uint64_t *n)
{
    *n = 0;
    for (int shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t byte = *(*at)++;
        *n |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* The next field; bytes in [*at, *at + *len) for wire type 2. */
static bool read_field(const uint8_t **at, const uint8_t *end, unsigned *field,
                       uint64_t *n, const uint8_t **bytes)
{
    uint64_t key;
    *bytes = NULL;
    if (*at >= end || !read_varint(at, end, &key))
        return false;
    *field = (unsigned)(key >> 3);
    size_t left = (size_t)(end - *at);
    switch (key & 7) {
    case 0:
        return read_varint(at, end, n);
    case 1:
    case 5:
        *n = 0;
        if (left < ((key & 7) == 1 ? 8u : 4u))
            return false;
        *at += (key & 7) == 1 ? 8 : 4;
        return true;
    case 2:
        if (!read_varint(at, end, n) || *n > (uint64_t)(end - *at))
            return false;
        *bytes = *at;
        *at += *n;
        return true;
    default:
        return false;
    }
}

/* Each field of a message to `take`; false: it is no message. */
static bool each_field(const uint8_t *at, const uint8_t *end,
                       void (*take)(struct said *said, unsigned field,
                                    uint64_t n, const uint8_t *bytes),
                       struct said *said)
{
    while (at < end) {
        unsigned field;
        uint64_t n;
        const uint8_t *bytes;
        if (!read_field(&at, end, &field, &n, &bytes) || field == 0)
            return false;
        if (take)
            take(said, field, n, bytes);
    }
    return true;
}

static void take_partial(struct said *said, unsigned field, uint64_t n,
                         const uint8_t *bytes)
{
    if (field == 1 && !bytes)
        said->rejected = (int64_t)n;
    if (field == 2 && bytes)
        snprintf(said->text, sizeof said->text, "%.*s", (int)n, bytes);
}

static void take_response(struct said *said, unsigned field, uint64_t n,
                          const uint8_t *bytes)
{
    if (field == 1 && bytes)
        (void)each_field(bytes, bytes + n, take_partial, said);
}

static void take_status(struct said *said, unsigned field, uint64_t n,
                        const uint8_t *bytes)
{
    if (field == 2 && bytes)
        snprintf(said->text, sizeof said->text, "%.*s", (int)n, bytes);
}

/* ---- JSON ---------------------------------------------------------------- */

static void set_text(struct said *said, const cJSON *text)
{
    if (cJSON_IsString(text))
        snprintf(said->text, sizeof said->text, "%s", text->valuestring);
}

/* The answer's double, which may be none that an integer can be. */
static int64_t whole(double n)
{
    const double most = 9007199254740992.0; /* 2^53 */
    if (n != n)
        return 0;
    return (int64_t)(n > most ? most : n < -most ? -most : n);
}

static bool read_json(const struct http_answer *a, bool is_good,
                      struct said *said)
{
    cJSON *all = cJSON_ParseWithLength(a->body, a->len_bytes);
    bool is_object = cJSON_IsObject(all);
    const cJSON *partial =
        cJSON_GetObjectItemCaseSensitive(all, "partialSuccess");
    const cJSON *count =
        cJSON_GetObjectItemCaseSensitive(partial, "rejectedSpans");
    if (!is_good) {
        set_text(said, cJSON_GetObjectItemCaseSensitive(all, "message"));
    } else {
        if (cJSON_IsString(count)) /* a 64-bit integer */
            said->rejected = strtoll(count->valuestring, NULL, 10);
        else if (cJSON_IsNumber(count))
            said->rejected = whole(cJSON_GetNumberValue(count));
        set_text(said,
                 cJSON_GetObjectItemCaseSensitive(partial, "errorMessage"));
    }
    cJSON_Delete(all);
    return is_object;
}

/* ---- verdicts ------------------------------------------------------------ */

static bool has_type(const struct http_answer *a, const char *type)
{
    size_t len = strlen(type);
    return strncasecmp(a->type, type, len) == 0 &&
           (a->type[len] == 0 || a->type[len] == ';' || a->type[len] == ' ');
}

/* False: no receiver of OTLP answers so. */
static bool read_answer(const struct http_answer *a, bool is_good,
                        struct said *said)
{
    const uint8_t *body = (const uint8_t *)a->body;
    bool is_known = false;
    if (has_type(a, "application/json"))
        is_known = a->len_bytes == 0 || read_json(a, is_good, said);
    else if (has_type(a, "application/x-protobuf"))
        is_known = each_field(body, body + a->len_bytes,
                              is_good ? take_response : take_status, said);
    else
        is_known = a->len_bytes == 0 && !has_type(a, "text/html");
    http_clean(a, said->text);
    return is_known;
}

static enum sink_verdict verdict(long status)
{
    switch (status) {
    case 0:
    case 429:
    case 502:
    case 503:
    case 504:
        return SINK_RETRY;
    case 413:
        return SINK_HALVE;
    case 401:
    case 403:
    case 404:
    case 405:
    case 407:
        return SINK_HOLD; /* the key, or the address */
    default:
        if (status >= 200 && status < 300)
            return SINK_OK;
        return status >= 400 ? SINK_POISON : SINK_HOLD;
    }
}

static void accept(const struct said *said, struct sink_answer *out)
{
    if (said->rejected == 0 && !said->text[0])
        return;
    snprintf(out->code, sizeof out->code, "partial success");
    if (said->rejected < 0) {
        snprintf(out->message, sizeof out->message,
                 "it says that it rejected %lld spans%s%s",
                 (long long)said->rejected, said->text[0] ? ": " : "",
                 said->text);
        return;
    }
    out->rejected = said->rejected;
    snprintf(out->message, sizeof out->message, "%s", said->text);
}

static const char *advice(const struct http_answer *a)
{
    if (a->status == 404 || a->status == 405)
        return " (is the path right? see path= in docs/operations.md)";
    if (a->status >= 300 && a->status < 400)
        return " (a redirect is not followed: name the place itself)";
    return "";
}

void otlp_judge(const struct http_answer *a, struct sink_answer *out)
{
    struct said said = {0};
    out->verdict = verdict(a->status);
    out->retry_after_ms = a->retry_after_ms;
    out->is_ambiguous = a->status == 0 && a->is_sent;
    out->is_permanent = out->verdict == SINK_POISON;
    if (a->status == 0) {
        snprintf(out->code, sizeof out->code, "no answer");
        snprintf(out->message, sizeof out->message, "%s", a->error);
        return;
    }
    bool is_known = read_answer(a, out->verdict == SINK_OK, &said);
    if (out->verdict == SINK_OK && is_known) {
        accept(&said, out);
        return;
    }
    snprintf(out->code, sizeof out->code, "%ld", a->status);
    if (out->verdict == SINK_OK) {
        out->verdict = SINK_HOLD;
        snprintf(out->message, sizeof out->message,
                 "what answers there is no OTLP receiver: status %ld, %s",
                 a->status, a->type[0] ? a->type : "of no type");
        return;
    }
    snprintf(out->message, sizeof out->message,
             "the receiver answered %ld%s%s%s", a->status,
             said.text[0] ? ": " : "", said.text, advice(a));
}
