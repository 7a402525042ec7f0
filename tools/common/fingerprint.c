/* SPDX-License-Identifier: Apache-2.0 */
/* See fingerprint.h. */
#include "tools/common/fingerprint.h"
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "tools/common/hash.h"
#include "tools/common/system.h"

enum {
    GROUP_FRAMES = 3,
};

static const char *text_of(const cJSON *o, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The innermost frames of the program's own objects, by name: the same for
 * every build and address. */
static uint64_t add_frames(uint64_t hash, const cJSON *frames)
{
    const cJSON *frame;
    int count = 0;
    cJSON_ArrayForEach(frame, frames)
    {
        const char *object = text_of(frame, "object");
        const char *function = text_of(frame, "function");
        if (!object || system_has_object(object))
            continue;
        hash = hash_text(hash, function ? function : base_of(object));
        if (++count == GROUP_FRAMES)
            break;
    }
    return hash;
}

void fingerprint_make(const cJSON *error, const char *handler,
                      char out[FINGERPRINT_BYTES])
{
    static const char *const keys[] = {"kind", "type", "rule"};
    uint64_t hash = HASH_BEGIN;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = text_of(error, keys[i]);
        hash = hash_text(hash, text ? text : "");
    }
    hash = hash_text(hash, handler ? handler : "");
    const cJSON *frames = cJSON_GetObjectItemCaseSensitive(error, "origin");
    if (cJSON_GetArraySize(frames) == 0)
        frames = cJSON_GetObjectItemCaseSensitive(error, "stack");
    snprintf(out, FINGERPRINT_BYTES, "%016" PRIx64, add_frames(hash, frames));
}

void fingerprint_of_kind(const char *kind, const char *handler,
                         char out[FINGERPRINT_BYTES])
{
    snprintf(out, FINGERPRINT_BYTES, "%016" PRIx64,
             hash_text(hash_text(HASH_BEGIN, kind), handler));
}
