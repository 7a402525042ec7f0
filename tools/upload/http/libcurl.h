/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl, loaded with the first connection: it brings some thirty libraries
 * along, 10 ms of linking that `handspan run` and a sidecar without a sink have
 * no use for. For http.c alone; its functions have their own names here.
 */
#pragma once
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#undef curl_easy_setopt
#undef curl_easy_getinfo

#define LIBCURL_FUNCTIONS(X)                                                   \
    X(curl_easy_cleanup)                                                       \
    X(curl_easy_getinfo)                                                       \
    X(curl_easy_init)                                                          \
    X(curl_easy_perform)                                                       \
    X(curl_easy_setopt)                                                        \
    X(curl_easy_strerror)                                                      \
    X(curl_global_init)                                                        \
    X(curl_slist_append)                                                       \
    X(curl_slist_free_all)

struct libcurl {
#define LIBCURL_MEMBER(name) __typeof__(&name) name;
    LIBCURL_FUNCTIONS(LIBCURL_MEMBER)
#undef LIBCURL_MEMBER
};

/* Once for the process, however often it is called. NULL: there is none, or
 * it lacks something. Not for two threads at once. */
const struct libcurl *libcurl_load(void);
/* What the loader said when it returned NULL; until the next call. */
const char *libcurl_why(void);
