/* SPDX-License-Identifier: Apache-2.0 */
/* An error of the store as one line for people; declared in tree.h. */
#include "tools/common/buf.h"
#include "tools/common/json.h"
#include "tools/query/tree.h"
#include <stdlib.h>
#include <string.h>

static void put_rule(const char *json, struct buf *b)
{
    char value[64], type[128], message[256];
    bool has_type = json_member_text(json, "type", type, sizeof type);
    if (json_member_text(json, "return_value", value, sizeof value))
        buf_printf(b, "return %s", value);
    else if (json_member_text(json, "rule", message, sizeof message))
        buf_printf(b, "rule %s", message);
    else
        buf_text(b, "failed");
    if (has_type)
        buf_printf(b, " (%s)", type);
    if (json_member_text(json, "message", message, sizeof message) &&
        message[0])
        buf_printf(b, ": %s", message);
}

static void put_cause(const char *json, struct buf *b)
{
    char call[64], args[256];
    int len;
    const char *cause = json_member(json, "cause", &len);
    if (!cause || *cause != '{')
        return;
    char *copy = strndup(cause, (size_t)len);
    if (copy && json_member_text(copy, "call", call, sizeof call)) {
        buf_printf(b, "; first cause %s", call);
        if (json_member_text(copy, "args", args, sizeof args))
            buf_printf(b, "(%s)", args);
    }
    free(copy);
}

/* file:line of the first frame of the origin, if it is known. */
static void put_origin(const char *json, struct buf *b)
{
    char file[256], line[24];
    int len;
    const char *origin = json_member(json, "origin", &len);
    if (!origin || *origin != '[')
        return;
    const char *frame = strchr(origin, '{');
    const char *end = frame ? strchr(frame, '}') : NULL;
    if (!end || end > origin + len)
        return;
    char *copy = strndup(frame, (size_t)(end - frame) + 1);
    if (copy && json_member_text(copy, "file", file, sizeof file) &&
        json_member_text(copy, "line", line, sizeof line))
        buf_printf(b, ", %s:%s", file, line);
    free(copy);
}

void query_error_line(const char *error_json, struct buf *b)
{
    char kind[32] = "", type[256], message[512];
    json_member_text(error_json, "kind", kind, sizeof kind);
    if (strcmp(kind, "exception") != 0 && strcmp(kind, "signal") != 0) {
        put_rule(error_json, b);
    } else {
        if (!json_member_text(error_json, "type", type, sizeof type))
            memcpy(type, "?", 2);
        buf_printf(b, "%s%s", strcmp(kind, "signal") ? "exception " : "", type);
        if (json_member_text(error_json, "message", message, sizeof message) &&
            message[0])
            buf_printf(b, ": %s", message);
    }
    put_cause(error_json, b);
    put_origin(error_json, b);
}
