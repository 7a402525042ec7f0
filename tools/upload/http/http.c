/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's owner: see http.h. */
#define _GNU_SOURCE
#include "tools/upload/http/http.h"
#include "tools/upload/http/libcurl.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SECRET_BYTES = 16384,
    SECRET_LEAST = 4, /* bytes; less would mask words */
    RUN_LEAST = 8,
    RETRY_AFTER_MOST_S = 86400, /* the engine asks less of itself */
};
struct http {
    const struct upload_url *url;
    CURL *curl;
    struct http_answer *answer;
    bool is_cut;                /* the body was longer than we keep */
    char secrets[SECRET_BYTES]; /* of the last request, each with its NUL */
    size_t secrets_len;
    char error[CURL_ERROR_SIZE];
};
static const struct libcurl *lib;
static http_stop *stop_call;
static void *stop_context;

void http_on_stop(http_stop *stop, void *context)
{
    stop_call = stop;
    stop_context = context;
}

bool http_is_stopped(void)
{
    return stop_call && stop_call(stop_context);
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c,
                       curl_off_t d)
{
    (void)context, (void)a, (void)b, (void)c, (void)d;
    return http_is_stopped();
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct http *http = context;
    struct http_answer *a = http->answer;
    size_t len = size * count, room = HTTP_BODY_MAX - a->len_bytes;
    size_t take = len < room ? len : room;
    memcpy(a->body + a->len_bytes, bytes, take);
    a->len_bytes += take;
    a->body[a->len_bytes] = 0;
    http->is_cut = take < len;
    return http->is_cut ? 0 : len;
}

static void set_up(struct http *http)
{
    CURL *c = http->curl;
    const struct upload_url *url = http->url;
    lib->curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    lib->curl_easy_setopt(c, CURLOPT_ERRORBUFFER, http->error);
    lib->curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    lib->curl_easy_setopt(c, CURLOPT_WRITEDATA, http);
    lib->curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    lib->curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    lib->curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    lib->curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    lib->curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)url->timeout_ms);
    lib->curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
                          (long)url->connect_timeout_ms);
    lib->curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    lib->curl_easy_setopt(c, CURLOPT_USERAGENT, "handspan");
    lib->curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
    lib->curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
    lib->curl_easy_setopt(c, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    if (url->ca_file[0])
        lib->curl_easy_setopt(c, CURLOPT_CAINFO, url->ca_file);
    if (url->proxy[0])
        lib->curl_easy_setopt(c, CURLOPT_PROXY, url->proxy);
}

int http_open(const struct upload_url *url, struct http **out)
{
    lib = libcurl_load();
    if (!lib)
        return -ELIBACC;
    struct http *http = calloc(1, sizeof *http);
    if (!http)
        return -ENOMEM;
    http->url = url;
    http->curl = lib->curl_easy_init();
    if (!http->curl) {
        free(http);
        return -ENOMEM;
    }
    set_up(http);
    *out = http;
    return 0;
}

void http_open_why(int rc, char *why, size_t why_bytes)
{
    if (rc == -ELIBACC)
        snprintf(why, why_bytes,
                 "no libcurl.so.4 (of Debian's package libcurl4): %s",
                 libcurl_why());
    else
        snprintf(why, why_bytes, "%s", strerror(-rc));
}

void http_close(struct http *http)
{
    if (!http)
        return;
    lib->curl_easy_cleanup(http->curl);
    explicit_bzero(http, sizeof *http);
    free(http);
}

/* ---- what must not come back --------------------------------------------- */

static bool says_what_is_sent(const char *header)
{
    static const char *const names[] = {
        "Accept:", "Content-Type:", "Content-Encoding:", "Prefer:"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncasecmp(header, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void secrets_take(struct http *http, const char *const *headers)
{
    static const char *const schemes[] = {"Bearer ", "Basic "};
    http->secrets_len = 0;
    for (int i = 0; headers && headers[i]; i++) {
        const char *value = strchr(headers[i], ':');
        if (!value || says_what_is_sent(headers[i]))
            continue;
        value += 1 + strspn(value + 1, " ");
        for (size_t k = 0; k < sizeof schemes / sizeof *schemes; k++)
            if (strncasecmp(value, schemes[k], strlen(schemes[k])) == 0)
                value += strlen(schemes[k]);
        size_t len = strlen(value) + 1;
        if (len <= SECRET_LEAST || len > SECRET_BYTES - http->secrets_len)
            continue;
        memcpy(http->secrets + http->secrets_len, value, len);
        http->secrets_len += len;
    }
}

/* Bytes that `text` has in common with some part of the secret; the longest. */
static size_t common(const char *text, const char *secret, size_t len)
{
    size_t best = 0;
    for (const char *at = secret; (at = memchr(at, *text, len)); at++) {
        size_t n = 1;
        len = (size_t)(secret + strlen(secret) - at);
        while (n < len && text[n] == at[n])
            n++;
        best = n > best ? n : best;
        len--;
    }
    return best;
}

static void mask(const char *secret, char *text)
{
    size_t len = strlen(secret);
    size_t least = len < RUN_LEAST ? len : RUN_LEAST;
    while (*text) {
        size_t n = common(text, secret, len);
        if (n >= least)
            memset(text, '*', n);
        text += n >= least ? n : 1;
    }
}

void http_clean(const struct http_answer *answer, char *text)
{
    const struct http *http = answer->from;
    for (size_t at = 0; http && at < http->secrets_len;
         at += strlen(http->secrets + at) + 1)
        mask(http->secrets + at, text);
}

static void list_free(struct curl_slist *list)
{
    for (struct curl_slist *at = list; at; at = at->next)
        explicit_bzero(at->data, strlen(at->data));
    lib->curl_slist_free_all(list);
}

/* Was the request on its way when it failed? */
static bool may_be_done(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
        return false;
    default:
        return true;
    }
}

static void answer_fill(struct http *http, CURLcode code)
{
    struct http_answer *a = http->answer;
    curl_off_t after = 0, micros = 0;
    char *type = NULL;
    long status = 0;
    lib->curl_easy_getinfo(http->curl, CURLINFO_RETRY_AFTER, &after);
    lib->curl_easy_getinfo(http->curl, CURLINFO_TOTAL_TIME_T, &micros);
    lib->curl_easy_getinfo(http->curl, CURLINFO_CONTENT_TYPE, &type);
    lib->curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
    a->elapsed_ms = micros / 1000;
    if (after > RETRY_AFTER_MOST_S)
        after = RETRY_AFTER_MOST_S;
    a->retry_after_ms = after > 0 ? (int64_t)after * 1000 : -1;
    snprintf(a->type, sizeof a->type, "%s", type ? type : "");
    a->is_sent = code == CURLE_OK || may_be_done(code);
    /* an answer that we cut short is one: its status counts */
    if (code == CURLE_OK || (http->is_cut && code == CURLE_WRITE_ERROR)) {
        a->status = status;
        return;
    }
    snprintf(a->error, sizeof a->error, "%s",
             http->error[0] ? http->error : lib->curl_easy_strerror(code));
}

void http_request(struct http *http, const char *method, const char *path,
                  const char *const *headers, const void *body,
                  size_t len_bytes, struct http_answer *answer)
{
    char url[UPLOAD_URL_MAX * 2];
    struct curl_slist *list = NULL;
    answer->from = http;
    answer->status = 0;
    answer->len_bytes = 0;
    answer->body[0] = answer->error[0] = answer->type[0] = 0;
    http->answer = answer;
    secrets_take(http, headers);
    http->is_cut = false;
    http->error[0] = 0;
    snprintf(url, sizeof url, "%s%s", http->url->base, path);
    for (int i = 0; headers && headers[i]; i++)
        list = lib->curl_slist_append(list, headers[i]);
    list = lib->curl_slist_append(list, "Expect:");
    lib->curl_easy_setopt(http->curl, CURLOPT_URL, url);
    lib->curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, list);
    if (body) {
        lib->curl_easy_setopt(http->curl, CURLOPT_POST, 1L);
        lib->curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS, body);
        lib->curl_easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE_LARGE,
                              (curl_off_t)len_bytes);
    } else {
        lib->curl_easy_setopt(http->curl, CURLOPT_HTTPGET, 1L);
    }
    lib->curl_easy_setopt(http->curl, CURLOPT_CUSTOMREQUEST, method);
    answer_fill(http, lib->curl_easy_perform(http->curl));
    http_clean(answer, answer->body);
    http_clean(answer, answer->error);
    http_clean(answer, answer->type);
    list_free(list);
}
