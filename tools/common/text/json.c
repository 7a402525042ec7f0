/* SPDX-License-Identifier: Apache-2.0 */
/* JSON lines on top of cJSON; see json.h. Out of memory shows when printing:
 * cJSON's adders accept NULL and json_print() sees a failed object. */
#include "tools/common/text/json.h"
#include "tools/common/text/buf.h"
#include "tools/common/text/text.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct cJSON *json_object(void)
{
    return cJSON_CreateObject();
}

struct cJSON *json_array(void)
{
    return cJSON_CreateArray();
}

void json_int(struct cJSON *to, const char *key, int64_t n)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, n);
    cJSON_AddRawToObject(to, key, digits);
}

void json_count(struct cJSON *to, const char *key, int64_t n)
{
    if (n < 0)
        json_null(to, key);
    else
        json_int(to, key, n);
}

void json_id(struct cJSON *to, const char *key, uint64_t id)
{
    char digits[20];
    snprintf(digits, sizeof digits, "%016" PRIx64, id);
    json_text(to, key, id ? digits : NULL);
}

void json_bool(struct cJSON *to, const char *key, bool b)
{
    cJSON_AddBoolToObject(to, key, b);
}

void json_null(struct cJSON *to, const char *key)
{
    cJSON_AddNullToObject(to, key);
}

struct cJSON *json_string(const char *text)
{
    if (!text)
        return cJSON_CreateNull();
    struct buf b;
    buf_init(&b, 64 << 20);
    text_valid(&b, text);
    struct cJSON *item =
        b.failed ? cJSON_CreateNull() : cJSON_CreateString(buf_get(&b));
    buf_free(&b);
    return item;
}

void json_text(struct cJSON *to, const char *key, const char *text)
{
    cJSON_AddItemToObject(to, key, json_string(text));
}

static bool is_valid(const char *raw)
{
    /* require_null_terminated: nothing may follow, or it would be printed */
    struct cJSON *parsed = raw ? cJSON_ParseWithOpts(raw, NULL, 1) : NULL;
    cJSON_Delete(parsed);
    return parsed != NULL && !strpbrk(raw, "\r\n");
}

void json_raw(struct cJSON *to, const char *key, const char *raw,
              const char *otherwise)
{
    cJSON_AddRawToObject(to, key, is_valid(raw) ? raw : otherwise);
}

void json_object_add(struct cJSON *to, const char *key, struct cJSON *object)
{
    cJSON_AddItemToObject(to, key, object);
}

void json_append_text(struct cJSON *array, const char *text)
{
    cJSON_AddItemToArray(array, json_string(text));
}

void json_append(struct cJSON *array, struct cJSON *object)
{
    cJSON_AddItemToArray(array, object);
}

static void quote_byte(struct buf *b, unsigned char c)
{
    static const char shorts[] = "\b\f\n\r\t", letters[] = "bfnrt";
    const char *at = c ? strchr(shorts, c) : NULL;
    if (c == '"' || c == '\\') {
        buf_char(b, '\\');
        buf_char(b, (char)c);
    } else if (at) {
        buf_char(b, '\\');
        buf_char(b, letters[at - shorts]);
    } else if (c < 0x20) {
        buf_printf(b, "\\u%04x", c);
    } else {
        buf_char(b, (char)c);
    }
}

void json_quote(struct buf *b, const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    if (!text) {
        buf_text(b, "null");
        return;
    }
    buf_char(b, '"');
    while (*c >= 0x20 && *c < 0x80 && *c != '"' && *c != '\\')
        c++;
    buf_add(b, text, (size_t)((const char *)c - text));
    if (*c) {
        struct buf valid;
        buf_init(&valid, b->max_bytes);
        text_valid(&valid, (const char *)c);
        b->failed |= valid.failed;
        for (const char *v = buf_get(&valid); *v; v++)
            quote_byte(b, (unsigned char)*v);
        buf_free(&valid);
    }
    buf_char(b, '"');
}

void json_print_schema(FILE *out)
{
    fputs("{\"schema\":1}\n", out);
}

int json_print(FILE *out, struct cJSON *object)
{
    char *text = object ? cJSON_PrintUnformatted(object) : NULL;
    cJSON_Delete(object);
    if (!text)
        return -ENOMEM;
    fputs(text, out);
    fputc('\n', out);
    cJSON_free(text);
    return 0;
}

/* ---- members without parsing ------------------------------------------ */

static const char *skip_blank(const char *s)
{
    return s + strspn(s, " \t\r\n");
}

static const char *skip_string(const char *s)
{
    for (s++; *s && *s != '"'; s++)
        if (*s == '\\' && s[1])
            s++;
    return *s ? s + 1 : s;
}

/* The end of the value at `s`, which is known to be valid. */
static const char *skip_value(const char *s)
{
    if (*s == '"')
        return skip_string(s);
    if (*s != '{' && *s != '[')
        return s + strcspn(s, ",]} \t\r\n");
    int depth = 0;
    while (*s) {
        if (*s == '"') {
            s = skip_string(s);
            continue;
        }
        depth += *s == '{' || *s == '[';
        depth -= *s == '}' || *s == ']';
        s++;
        if (depth == 0)
            break;
    }
    return s;
}

const char *json_member(const char *object, const char *key, int *len_bytes)
{
    if (!object || !is_valid(object))
        return NULL;
    size_t key_len = strlen(key);
    const char *s = skip_blank(object);
    if (*s != '{')
        return NULL;
    s = skip_blank(s + 1);
    while (*s == '"') {
        const char *name = s + 1, *end = skip_string(s);
        bool found = (size_t)(end - 1 - name) == key_len &&
                     strncmp(name, key, key_len) == 0;
        s = skip_blank(skip_blank(end) + 1);
        const char *value_end = skip_value(s);
        if (found) {
            *len_bytes = (int)(value_end - s);
            return strncmp(s, "null", 4) == 0 ? NULL : s;
        }
        s = skip_blank(value_end);
        s = *s == ',' ? skip_blank(s + 1) : s;
    }
    return NULL;
}

bool json_member_text(const char *object, const char *key, char *out,
                      size_t cap_bytes)
{
    int len;
    const char *raw = json_member(object, key, &len);
    if (!raw)
        return false;
    if (*raw != '"') {
        snprintf(out, cap_bytes, "%.*s", len, raw);
        return true;
    }
    struct cJSON *text = cJSON_ParseWithLength(raw, (size_t)len);
    const char *value = text ? cJSON_GetStringValue(text) : NULL;
    snprintf(out, cap_bytes, "%s", value ? value : "");
    cJSON_Delete(text);
    return value != NULL;
}
