/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/serve/guard.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

int guard_init(struct guard *g)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char random[GUARD_TOKEN];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return errno ? -errno : -EIO;
    for (int i = 0; i < GUARD_TOKEN; i++)
        g->token[i] = digits[random[i] & 63];
    g->token[GUARD_TOKEN] = 0;
    return 0;
}

/* In the same time wherever they differ. */
static bool is_same(const char *token, const char *given)
{
    size_t len = strlen(given);
    unsigned differs = len != GUARD_TOKEN;
    for (size_t i = 0; i < GUARD_TOKEN; i++)
        differs |=
            (unsigned char)token[i] ^ (unsigned char)given[i < len ? i : len];
    return differs == 0;
}

static bool is_ours(const struct guard *g, const char *host)
{
    static const char *const names[] = {"127.0.0.1", "localhost"};
    char text[32];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(text, sizeof text, "%s:%u", names[i], g->port);
        if (strcmp(host, text) == 0)
            return true;
    }
    return false;
}

int guard_judge(const struct guard *g, const struct guard_request *r,
                bool is_open)
{
    static const char http[] = "http://", bearer[] = "Bearer ";
    if (!r->host || !is_ours(g, r->host))
        return 421;
    if (r->origin && (strncmp(r->origin, http, sizeof http - 1) != 0 ||
                      !is_ours(g, r->origin + sizeof http - 1)))
        return 403;
    if (r->site && strcmp(r->site, "same-origin") != 0 &&
        !(is_open && strcmp(r->site, "none") == 0))
        return 403;
    if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0)
        return 405;
    if (r->has_body)
        return 413;
    if (is_open)
        return 0;
    return r->authorization &&
                   strncmp(r->authorization, bearer, sizeof bearer - 1) == 0 &&
                   is_same(g->token, r->authorization + sizeof bearer - 1)
               ? 0
               : 401;
}
