/* SPDX-License-Identifier: Apache-2.0 */
/* See judged.h. */
#include "tools/sidecar/decode/judged.h"
#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "lane/format/assert.h"

enum {
    NAME_BYTES = 128
};

static bool is_letter(char c)
{
    return c == '_' || isalnum((unsigned char)c);
}

/* The next name of the condition that stands for itself, from *at on. */
static bool next_name(const char *rule, const char **at, char name[NAME_BYTES])
{
    lane_assert(rule != NULL && *at >= rule);
    for (const char *s = *at; *s;) {
        size_t len = 0;
        while (is_letter(s[len]))
            len++;
        const char *before = s, *after = s + len + strspn(s + len, " ");
        while (before > rule && before[-1] == ' ')
            before--;
        bool is_member =
            before > rule && strchr(".>*&", before[-1]) &&
            (before[-1] != '>' || (before - 1 > rule && before[-2] == '-'));
        bool is_base = strchr(".[(", *after) && *after;
        is_base = is_base || (after[0] == '-' && after[1] == '>');
        bool is_name = len != 0 && len < NAME_BYTES &&
                       !isdigit((unsigned char)*s) && !is_member && !is_base;
        if (is_name)
            snprintf(name, NAME_BYTES, "%.*s", (int)len, s);
        s += len ? len : 1;
        *at = s;
        if (is_name)
            return true;
    }
    return false;
}

void judged_add(cJSON *error, const char *rule, const cJSON *input)
{
    char name[NAME_BYTES];
    const char *at = rule;
    cJSON *judged = NULL;
    while (rule && next_name(rule, &at, name)) {
        const cJSON *item =
            strcmp(name, "return") == 0
                ? cJSON_GetObjectItemCaseSensitive(error, "return_value")
                : cJSON_GetObjectItemCaseSensitive(input, name);
        if ((!cJSON_IsNumber(item) && !cJSON_IsRaw(item)) ||
            cJSON_GetObjectItemCaseSensitive(judged, name))
            continue;
        if (!judged)
            judged = cJSON_AddObjectToObject(error, "judged");
        cJSON_AddItemToObject(judged, name, cJSON_Duplicate(item, true));
    }
}
