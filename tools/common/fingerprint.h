/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which errors are the same one: kind, type, rule, handler, the call that was
 * the cause and its errno, and the innermost functions of the program's own
 * objects. The sidecar makes it when an error
 * comes, `handspan symbolize` again when its frames got names.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
struct cJSON;

enum {
    FINGERPRINT_BYTES = 17, /* 16 hex digits */
};

/* `error`: the object of the store; its own "fingerprint" does not count. True:
 * it has frames. *without_frames: what all of this but the frames makes; may be
 * NULL. */
bool fingerprint_make(const struct cJSON *error, const char *handler,
                      char out[FINGERPRINT_BYTES], uint64_t *without_frames);
/* Of a group that has no error of its own. */
void fingerprint_of_kind(const char *kind, const char *handler,
                         char out[FINGERPRINT_BYTES]);
