/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What servers answer (PostgREST, OTLP) to verdicts. The first bytes choose
 * who judges, the Content-Type and the status, the rest is the body. A verdict
 * is one of the five, its words end, and eight bytes of a key are never among
 * them, however they were said.
 */
#include "tests/fuzz/fuzz.h"
#include <stdlib.h>
#include <string.h>
#include "tools/upload/postgrest/answers.h"
#include "tools/upload/otlp/otlp_answers.h"

enum {
    HEAD_BYTES = 4,
    RUN_BYTES = 8, /* of a key, that http_clean() leaves nowhere */
};

static const char key[] = "s3cr3t-K3y-0123456789";

/* Sent nowhere: the connection is refused, but it knows the key. */
static const struct http *connection(struct http_answer *a)
{
    static const char *const headers[] = {
        "Authorization: Bearer s3cr3t-K3y-0123456789", NULL};
    static struct upload_url url = {.base = "http://127.0.0.1:1",
                                    .timeout_ms = 1000,
                                    .connect_timeout_ms = 1000};
    static struct http *http;
    if (http)
        return http;
    if (http_open(&url, &http) != 0)
        abort();
    http_request(http, "GET", "/", headers, NULL, 0, a);
    return http;
}

static void judge(const struct http_answer *a, uint8_t who)
{
    struct sink_answer out = {.verdict = (enum sink_verdict) - 1};
    if (who & 1)
        otlp_judge(a, &out);
    else
        answers_judge(a, &out);
    if ((unsigned)out.verdict > SINK_HOLD ||
        !memchr(out.message, 0, sizeof out.message) ||
        !memchr(out.code, 0, sizeof out.code) || out.retry_after_ms < -1)
        abort();
    for (size_t i = 0; i + RUN_BYTES < sizeof key; i++) {
        char run[RUN_BYTES + 1] = "";
        memcpy(run, key + i, RUN_BYTES);
        if (strstr(out.message, run) || strstr(out.code, run))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const types[] = {
        "application/json", "application/x-protobuf", "text/html", ""};
    static const long statuses[] = {200, 201, 204, 0,   301, 400,
                                    401, 403, 404, 408, 409, 413,
                                    422, 429, 500, 502, 503, 504};
    static struct http_answer a;
    if (len < HEAD_BYTES || len - HEAD_BYTES > HTTP_BODY_MAX)
        return 0;
    const struct http *from = connection(&a);
    a = (struct http_answer){.from = from,
                             .status = statuses[data[1] % 18],
                             .is_sent = data[2] & 1,
                             .retry_after_ms = data[2] & 2 ? 1000 : -1,
                             .len_bytes = len - HEAD_BYTES};
    memcpy(a.type, types[data[3] % 4], strlen(types[data[3] % 4]));
    memcpy(a.body, data + HEAD_BYTES, len - HEAD_BYTES);
    if (a.status == 0)
        memcpy(a.error, a.body, a.len_bytes < 255 ? a.len_bytes : 255);
    http_clean(&a, a.body); /* as http_request() does */
    http_clean(&a, a.error);
    judge(&a, data[0]);
    return 0;
}
