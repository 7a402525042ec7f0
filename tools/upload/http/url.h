/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The URL that names a sink:
 *   insforge+https://HOST/BASE?prefix=P&values=on&key-file=PATH...
 * Credentials are never in it (refused, since command lines are public): they
 * come from a file (key-file=) or the environment. Also the environment's list.
 * postgresql://USER@HOST:PORT/DATABASE?... may have a user, and no host.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    UPLOAD_URL_MAX = 2048,
    UPLOAD_KEY_MAX = 8192,
    UPLOAD_PREFIX_MAX = 32,
    UPLOAD_SINKS_MAX = 16,
};
struct upload_url {
    char text[UPLOAD_URL_MAX]; /* as given */
    char name[UPLOAD_URL_MAX]; /* scheme, host, base, prefix: its identity */
    char scheme[32];           /* "insforge+https" */
    char base[UPLOAD_URL_MAX]; /* "https://host:port/base", no final slash */
    char prefix[UPLOAD_PREFIX_MAX];
    char key[UPLOAD_KEY_MAX]; /* bearer token or key; "": none */
    char key_file[1024];      /* read again after a 401; "": none */
    char ca_file[1024];       /* "": the system's */
    char proxy[1024];         /* "": as the environment says */
    bool values;              /* values=on */
    int64_t timeout_ms;       /* of a whole request */
    int64_t connect_timeout_ms;
    /* What is not known above: NAME=VALUE&..., for the sink itself. */
    char options[UPLOAD_URL_MAX];
};

/*
 * Take it apart, with the key from key-file= or key-env=, else from the
 * settings (upload_key_file, else $HANDSPAN_UPLOAD_KEY). 0, or -errno with a
 * sentence in `why` that does not repeat credentials.
 */
int upload_url_parse(const char *text, struct upload_url *out, char *why,
                     size_t why_bytes) __attribute__((warn_unused_result));
/* An option of a URL, and what it can be: words with '|' between, NULL: any
 * text. */
struct upload_option {
    const char *name, *values;
};
/* Those of libpq that a URL of a database may have. */
extern const struct upload_option upload_url_database[];
/* Every option is one of ours or of `more` (to one without name; NULL: none)
 * and has a value that it can have. 0, or -EINVAL with a sentence in `why`. */
int upload_url_check(const struct upload_url *url,
                     const struct upload_option *more, char *why,
                     size_t why_bytes) __attribute__((warn_unused_result));
/* Read the key anew (it may have been replaced). True if it changed. */
bool upload_url_key(struct upload_url *url);
/* An option of `options`, decoded; false: not there. */
bool upload_url_option(const struct upload_url *url, const char *name,
                       char *out, size_t cap_bytes);
