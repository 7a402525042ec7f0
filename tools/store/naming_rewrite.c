/* SPDX-License-Identifier: Apache-2.0 */
/* See naming_rewrite.h. What is no frame stays as it stands, byte by byte:
 * numbers of 64 bits are none that cJSON could carry. */
#include "tools/store/naming_rewrite.h"
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include "tools/common/text/json.h"

static const char *const arrays[] = {"origin", "stack"};

static bool has(const cJSON *frame, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(frame, key);
    return item && !cJSON_IsNull(item);
}

/* Neither DWARF nor a name from it: to be looked up. */
static bool is_open(const cJSON *frame)
{
    const cJSON *inlined = cJSON_GetObjectItemCaseSensitive(frame, "inlined");
    return cJSON_IsObject(frame) && !cJSON_IsTrue(inlined) &&
           !has(frame, "line") && !has(frame, "debug") &&
           has(frame, "build_id") && has(frame, "object") &&
           has(frame, "offset");
}

/* The frame above it is of the same place: DWARF was there. */
static bool follows_inlined(const cJSON *before)
{
    return before &&
           cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(before, "inlined"));
}

static void each(const cJSON *frames, naming_find_fn *find, void *context)
{
    const cJSON *frame, *before = NULL;
    cJSON_ArrayForEach(frame, frames)
    {
        if (is_open(frame) && !follows_inlined(before))
            (void)find(context, frame);
        before = frame;
    }
}

void naming_each_of_array(const char *frames, naming_find_fn *find,
                          void *context)
{
    cJSON *json = cJSON_Parse(frames);
    each(json, find, context);
    cJSON_Delete(json);
}

void naming_each_of_error(const char *error, naming_find_fn *find,
                          void *context)
{
    cJSON *json = cJSON_Parse(error);
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        each(cJSON_GetObjectItemCaseSensitive(json, arrays[i]), find, context);
    cJSON_Delete(json);
}

/* Marks of the old frame that names do not bring. */
static void keep_marks(const cJSON *old, cJSON *frames)
{
    const cJSON *guess = cJSON_GetObjectItemCaseSensitive(old, "guess");
    const cJSON *handler = cJSON_GetObjectItemCaseSensitive(old, "handler");
    cJSON *frame, *last = NULL;
    cJSON_ArrayForEach(frame, frames)
    {
        if (cJSON_IsTrue(guess))
            cJSON_AddBoolToObject(frame, "guess", true);
        last = frame;
    }
    if (last && cJSON_IsString(handler))
        cJSON_AddStringToObject(last, "handler", handler->valuestring);
}

/* Append what stands for the frame. True if that is more than it was. */
static bool put_named(const cJSON *frame, const struct naming_place *place,
                      cJSON *out)
{
    int count = place ? cJSON_GetArraySize(place->frames) : 0;
    const cJSON *last =
        cJSON_GetArrayItem(place ? place->frames : NULL, count - 1);
    bool is_more =
        last && (has(last, "line") || has(last, "file") || has(last, "debug") ||
                 (has(last, "function") && !has(frame, "function")));
    if (!is_more) {
        cJSON_AddItemToArray(out, cJSON_Duplicate(frame, true));
        return false;
    }
    cJSON *names = cJSON_Duplicate(place->frames, true), *name;
    keep_marks(frame, names);
    while ((name = cJSON_DetachItemFromArray(names, 0)))
        cJSON_AddItemToArray(out, name);
    cJSON_Delete(names);
    return true;
}

char *naming_array(const char *frames, naming_find_fn *find, void *context,
                   int64_t *named)
{
    cJSON *json = cJSON_Parse(frames), *out = cJSON_CreateArray();
    const cJSON *frame, *before = NULL;
    int64_t count = 0;
    cJSON_ArrayForEach(frame, json)
    {
        bool is_asked = is_open(frame) && !follows_inlined(before);
        count += put_named(frame, is_asked ? find(context, frame) : NULL, out);
        before = frame;
    }
    char *text = count ? cJSON_PrintUnformatted(out) : NULL;
    cJSON_Delete(out);
    cJSON_Delete(json);
    *named += text ? count : 0;
    return text;
}

/* Put another text in place of a member that is there. */
static char *splice(char *text, const char *key, const char *value)
{
    int len;
    const char *at = json_member(text, key, &len);
    size_t all = strlen(text), more = strlen(value);
    char *out = at ? malloc(all + more + 1) : NULL;
    if (!out)
        return text;
    size_t before = (size_t)(at - text), rest = before + (size_t)len;
    memcpy(out, text, before);
    memcpy(out + before, value, more);
    memcpy(out + before + more, text + rest, all - rest + 1);
    free(text);
    return out;
}

char *naming_error(const char *error, const char *handler, naming_find_fn *find,
                   void *context, int64_t *named,
                   char fingerprint[FINGERPRINT_BYTES])
{
    char *text = strdup(error), quoted[FINGERPRINT_BYTES + 2];
    bool is_changed = false;
    for (size_t i = 0; text && i < sizeof arrays / sizeof *arrays; i++) {
        int len;
        const char *raw = json_member(text, arrays[i], &len);
        char *old = raw ? strndup(raw, (size_t)len) : NULL;
        char *frames = old ? naming_array(old, find, context, named) : NULL;
        is_changed |= frames != NULL;
        if (frames)
            text = splice(text, arrays[i], frames);
        free(frames);
        free(old);
    }
    cJSON *json = is_changed ? cJSON_Parse(text) : NULL;
    if (!json) {
        free(text);
        return NULL;
    }
    (void)fingerprint_make(json, handler, fingerprint, NULL);
    cJSON_Delete(json);
    snprintf(quoted, sizeof quoted, "\"%s\"", fingerprint);
    return splice(text, "fingerprint", quoted);
}
