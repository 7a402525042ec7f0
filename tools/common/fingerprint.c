/* SPDX-License-Identifier: Apache-2.0 */
/* See fingerprint.h. */
#include "tools/common/fingerprint.h"
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/common/text/hash.h"
#include "tools/common/system.h"

enum {
    GROUP_FRAMES = 3,
    CODE_MOST = 4095,
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

/* What a program unpacks to itself has another name each time. */
static const char *name_of(const char *object)
{
    static const char *const folders[] = {"/tmp/", "/var/tmp/", "/dev/shm/",
                                          "/run/user/"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (strncmp(object, folders[i], strlen(folders[i])) == 0)
            return "(unpacked)";
    return base_of(object);
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
        if (!object || system_has_object(object) ||
            system_has_source(text_of(frame, "file"), function))
            continue;
        hash = hash_text(hash, function ? function : name_of(object));
        if (++count == GROUP_FRAMES)
            break;
    }
    return hash;
}

/* All but the frames. */
/* The one number that a rule without an error number judged, if it looks like a
 * code: different ones are different failures. */
static uint64_t hash_judged(uint64_t hash, const cJSON *error)
{
    const cJSON *judged = cJSON_GetObjectItemCaseSensitive(error, "judged");
    const cJSON *item = judged ? judged->child : NULL;
    char text[32];
    if (text_of(error, "type") || !item || item->next)
        return hash;
    double value =
        cJSON_IsRaw(item) ? strtod(item->valuestring, NULL) : item->valuedouble;
    if (value < -CODE_MOST || value > CODE_MOST)
        return hash;
    snprintf(text, sizeof text, "%.0f", value);
    return hash_text(hash, text);
}

static uint64_t hash_error(const cJSON *error, const char *handler)
{
    static const char *const keys[] = {"kind", "type", "rule"};
    uint64_t hash = HASH_BEGIN;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = text_of(error, keys[i]);
        hash = hash_text(hash, text ? text : "");
    }
    hash = hash_text(hash, handler ? handler : "");
    hash = hash_judged(hash, error);
    const cJSON *cause = cJSON_GetObjectItemCaseSensitive(error, "cause");
    if (text_of(cause, "call")) {
        const char *number = text_of(cause, "error");
        hash = hash_text(hash, text_of(cause, "call"));
        hash = hash_text(hash, number ? number : "");
    }
    return hash;
}

bool fingerprint_make(const cJSON *error, const char *handler,
                      char out[FINGERPRINT_BYTES], uint64_t *without_frames)
{
    uint64_t hash = hash_error(error, handler);
    const cJSON *frames = cJSON_GetObjectItemCaseSensitive(error, "origin");
    if (cJSON_GetArraySize(frames) == 0)
        frames = cJSON_GetObjectItemCaseSensitive(error, "stack");
    if (without_frames)
        *without_frames = hash;
    snprintf(out, FINGERPRINT_BYTES, "%016" PRIx64, add_frames(hash, frames));
    return cJSON_GetArraySize(frames) > 0;
}

void fingerprint_of_kind(const char *kind, const char *handler,
                         char out[FINGERPRINT_BYTES])
{
    snprintf(out, FINGERPRINT_BYTES, "%016" PRIx64,
             hash_text(hash_text(HASH_BEGIN, kind), handler));
}
