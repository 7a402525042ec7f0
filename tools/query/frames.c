/* SPDX-License-Identifier: Apache-2.0 */
/* See frames.h. */
#include "tools/query/frames.h"
#include "tools/common/system.h"
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const cJSON *o, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static int number_of(const cJSON *o, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);
    return cJSON_IsNumber(item) ? item->valueint : 0;
}

struct query_frame query_frame_read(const cJSON *frame)
{
    return (struct query_frame){
        .function = text_of(frame, "function"),
        .file = text_of(frame, "file"),
        .object = text_of(frame, "object"),
        .offset = text_of(frame, "offset"),
        .build_id = text_of(frame, "build_id"),
        .trouble = text_of(frame, "trouble"),
        .line = number_of(frame, "line"),
        .handler = text_of(frame, "handler"),
        .inlined =
            cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(frame, "inlined")),
        .has_debug =
            cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(frame, "debug")),
        .is_guess =
            cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(frame, "guess")),
    };
}

const char *query_base_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path ? path : "?";
}

const cJSON *query_frame_to_blame(const cJSON *frames, bool is_inside)
{
    const cJSON *frame, *own = NULL;
    cJSON_ArrayForEach(frame, frames)
    {
        struct query_frame f = query_frame_read(frame);
        bool is_own = f.object && !system_has_object(f.object) &&
                      !system_has_source(f.file, f.function);
        if (is_own && f.file && f.line)
            return frame;
        own = own || !is_own ? own : frame;
        if (is_inside && f.handler)
            break;
    }
    return own ? own : cJSON_IsArray(frames) ? frames->child : NULL;
}

/* ---- the first cause ----------------------------------------------------- */

/* What the sidecar wrote as text but is none: 0x241, 0644, O_RDONLY|O_CLOEXEC.
 */
static bool is_word(const char *text)
{
    size_t digits = strspn(text, "0123456789abcdefx");
    return (text[0] == '0' && !text[digits]) || strncmp(text, "O_", 2) == 0;
}

static void put_argument(const cJSON *arg, struct buf *b)
{
    if (cJSON_IsString(arg) && is_word(arg->valuestring)) {
        buf_text(b, arg->valuestring);
        return;
    }
    char *text = cJSON_PrintUnformatted(arg);
    buf_text(b, text ? text : "?");
    free(text);
}

static void put_arguments(const cJSON *args, bool is_long, struct buf *b)
{
    const cJSON *arg;
    bool has_text = false, is_first = true;
    if (cJSON_IsString(args)) {
        buf_text(b, args->valuestring);
        return;
    }
    cJSON_ArrayForEach(arg, args) has_text |=
        cJSON_IsString(arg) && !is_word(arg->valuestring);
    cJSON_ArrayForEach(arg, args)
    {
        bool is_text = cJSON_IsString(arg) && !is_word(arg->valuestring);
        if (!is_long && has_text && !is_text)
            continue; /* the name says it */
        if (!is_first)
            buf_text(b, ", ");
        is_first = false;
        put_argument(arg, b);
    }
}

void query_cause_text(const cJSON *cause, int parts, struct buf *b)
{
    const char *call = text_of(cause, "call");
    int number = number_of(cause, "errno");
    const char *name = number ? strerrorname_np(number) : NULL;
    if (!call)
        return;
    buf_printf(b, "%s(", call);
    put_arguments(cJSON_GetObjectItemCaseSensitive(cause, "args"),
                  parts & QUERY_CAUSE_ALL_ARGUMENTS, b);
    buf_char(b, ')');
    if (!(parts & QUERY_CAUSE_ERROR))
        return;
    if (number && name)
        buf_printf(b, " = %s", name);
    else if (number)
        buf_printf(b, " = error %d", number);
    if (parts & QUERY_CAUSE_WORDS && number && strerrordesc_np(number))
        buf_printf(b, " (%s)", strerrordesc_np(number));
}
