/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP connection to one server, kept open between requests. http.c owns
 * libcurl. TLS is verified; redirects are not followed, so that credentials and
 * rows stay with the host that was named.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tools/upload/http/url.h"

enum {
    HTTP_BODY_MAX = 65536, /* kept of an answer; more is not read */
    HTTP_HEADERS = 8,
};
struct http;
struct http_answer {
    const struct http *from;
    long status;  /* 0: none came */
    bool is_sent; /* no answer: the server may have acted all the same */
    int64_t retry_after_ms; /* -1: it did not say */
    int64_t elapsed_ms;
    char type[64];   /* Content-Type */
    char error[256]; /* why there is no (whole) answer; "" else */
    size_t len_bytes;
    char body[HTTP_BODY_MAX + 1];
};

/* Aborts a request when it returns true. */
typedef bool http_stop(void *context);

/* `url` must live as long. 0, -ENOMEM, -ELIBACC: no libcurl (dlerror()). */
int http_open(const struct upload_url *url, struct http **out)
    __attribute__((warn_unused_result));
/* What http_open() returned, for people. */
void http_open_why(int rc, char *why, size_t why_bytes);
void http_close(struct http *http);
/*
 * Masks what the server repeats of a key: of every header's value but those
 * that say what is sent, each run of 8 bytes or more (all of a shorter one)
 * becomes
 * '*'. Body, type and error of an answer are clean already; a text that was
 * decoded out of the body (JSON) is to be cleaned again, before it is cut.
 */
void http_clean(const struct http_answer *answer, char *text);

/* Called now and then during a request: true ends it. One for all requests of
 * this process. */
void http_on_stop(http_stop *stop, void *context);
/* Has that end come? Other connections of this process ask, too. */
bool http_is_stopped(void);

/*
 * `path` goes behind the URL's base; `headers`: lines, NULL at the end; body
 * NULL: none. What went wrong is in the answer.
 */
void http_request(struct http *http, const char *method, const char *path,
                  const char *const *headers, const void *body,
                  size_t len_bytes, struct http_answer *answer);
