/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of the tools: one file, the environment, flags, in this order of
 * increasing weight. Files: $XDG_CONFIG_HOME/handspan/config (else ~/.config),
 * which goes over /etc/handspan/config, key by key; $HANDSPAN_CONFIG names
 * another one instead of both. docs/operations.md describes the keys. The
 * traced process reads the environment alone; `run` and `env` hand on what it
 * needs.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_key {
    CONFIG_DIR,
    CONFIG_STORE,
    CONFIG_UPLOAD, /* sinks, blanks between */
    CONFIG_UPLOAD_KEY_FILE,
    CONFIG_UPLOAD_KEY, /* never from a file of settings */
    CONFIG_SPOOL_SIZE,
    CONFIG_SPOOL_FREE,
    CONFIG_KEEP_AGE,
    CONFIG_KEEP_SIZE,
    CONFIG_THIN_AGE,
    CONFIG_METRICS_LISTEN,
    CONFIG_METRICS_FILE,
    CONFIG_LOG_FORMAT,
    CONFIG_DEBUGINFOD_URLS,
    CONFIG_KEYS,
};

/* Read the files. What is wrong with them is kept for config_problems(). Must
 * come before other threads; the calls below do it if need be. */
void config_load(void);

/* The effective value: flag, environment (an empty variable counts as unset),
 * file, default. NULL: none of them. Valid until the next config_set() of the
 * key; of the environment until that changes. */
const char *config_get(enum config_key key);
/* What a flag said; NULL takes it back. `value` is not copied. */
void config_set(enum config_key key, const char *value);

/* For `handspan config`. */
struct config_info {
    const char *name;     /* in the file */
    const char *variable; /* in the environment */
    const char *about;
    const char *value;  /* effective; NULL: none */
    const char *origin; /* "default", a variable, "FILE:LINE", "flag" */
    bool is_secret;     /* never shown */
};
void config_info(enum config_key key, struct config_info *out);
/* A sentence each: a line that means nothing, a file that is not trusted, a
 * value that its key cannot have (`values`: look at those as well, and at the
 * names of the environment). Returns
 * their number. */
int config_problems(bool values, void (*each)(void *context, const char *text),
                    void *context);

/* "30d", "12h"; "off" is -1. "2GB" (10^9), "512MiB", "off". 0 or -EINVAL. */
int config_parse_age(const char *text, int64_t *out_ns)
    __attribute__((warn_unused_result));
int config_parse_size(const char *text, int64_t *out_bytes)
    __attribute__((warn_unused_result));
/* A size, or a part of a file system of `whole_bytes` and no less than 256 MiB:
 * "5%". "off" is -1. 0 or -EINVAL. */
int config_parse_room(const char *text, int64_t whole_bytes, int64_t *out_bytes)
    __attribute__((warn_unused_result));

/* "127.0.0.1:9477", "[::1]:9477", "localhost:9477", ":9477" (this machine
 * alone). 0, the host and its port within `text`, or -EINVAL. */
int config_parse_listen(const char *text, char *host, size_t host_bytes,
                        const char **port) __attribute__((warn_unused_result));

/* A URL as people may see it: user, password and the values of query options
 * that hold a secret (key, token, password) are "***", and what is no
 * NAME=VALUE there. */
void config_mask_url(const char *url, char *out, size_t cap_bytes);
