/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmicrohttpd, loaded by `serve` alone: it brings a dozen libraries along
 * that no other command has a use for. Its functions have their own names here.
 */
#pragma once
#include <microhttpd.h>

#define LIBMICROHTTPD_FUNCTIONS(X)                                             \
    X(MHD_start_daemon)                                                        \
    X(MHD_stop_daemon)                                                         \
    X(MHD_get_daemon_info)                                                     \
    X(MHD_lookup_connection_value)                                             \
    X(MHD_get_connection_values)                                               \
    X(MHD_create_response_from_buffer)                                         \
    X(MHD_add_response_header)                                                 \
    X(MHD_queue_response)                                                      \
    X(MHD_destroy_response)

struct libmicrohttpd {
#define LIBMICROHTTPD_MEMBER(name) __typeof__(&name) name;
    LIBMICROHTTPD_FUNCTIONS(LIBMICROHTTPD_MEMBER)
#undef LIBMICROHTTPD_MEMBER
};

/* Once for the process, before there are threads. NULL: there is none, or it
 * lacks something; then dlerror() says what. */
const struct libmicrohttpd *libmicrohttpd_load(void);
