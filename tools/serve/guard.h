/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may ask? Only the page itself: whoever has the token, on the name that
 * was printed, and no other site through somebody's browser. A page of
 * another name that was made to lead here (DNS rebinding) has another Host.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
    GUARD_TOKEN = 43 /* 256 bits, base64url */
};
struct guard {
    char token[GUARD_TOKEN + 1];
    uint16_t port;
};
struct guard_request { /* of headers, NULL: not sent */
    const char *method, *host, *origin, *site, *authorization;
    bool has_body;
};
/* A new token. 0 or -errno. */
int guard_init(struct guard *g) __attribute__((warn_unused_result));
/* 0 if the request is let in, else the HTTP status. `is_open`: the page's own
 * files, which tell nothing, are for who has no token as well. */
int guard_judge(const struct guard *g, const struct guard_request *r,
                bool is_open);
