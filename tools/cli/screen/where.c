/* SPDX-License-Identifier: Apache-2.0 */
/* See where.h. */
#include "tools/cli/screen/where.h"
#include "tools/common/text/buf.h"
#include "tools/common/options.h"
#include "tools/common/text/text.h"
#include "tools/query/db.h"
#include <string.h>

static const char *const statuses[] = {"ok", "error", "unfinished", "open",
                                       NULL};
static const char *const ends[] = {"return", "exception", "longjmp", "cancel",
                                   "exit",   "exec",      "signal",  "killed",
                                   "event",  "unknown",   NULL};
const struct where_key where_trace_keys[] = {{"status", statuses, false},
                                             {"service", NULL, false},
                                             {"host", NULL, false},
                                             {"name", NULL, false},
                                             {NULL, NULL, false}};
const struct where_key where_span_keys[] = {
    {"name", NULL, false},        {"symbol", NULL, false},
    {"object", NULL, false},      {"status", statuses, false},
    {"ended_by", ends, false},    {"tid", NULL, true},
    {"thread_name", NULL, false}, {NULL, NULL, false}};

static const char *word_of(const void *from, int i)
{
    const char *const *words = from;
    return words[i];
}

static const char *key_of(const void *from, int i)
{
    const struct where_key *keys = from;
    return keys[i].name;
}

/* "; did you mean 'x'?", else "; there are a, b and c" */
static void hint(struct buf *b, const char *word, const void *from,
                 const char *(*name)(const void *from, int i))
{
    struct text_nearest near;
    text_nearest_init(&near, word);
    for (int i = 0; name(from, i); i++)
        text_nearest_offer(&near, name(from, i));
    if (near.name[0]) {
        buf_printf(b, "; did you mean '%s'?", near.name[0]);
        return;
    }
    for (int i = 0; name(from, i); i++)
        buf_printf(b, "%s%s",
                   i == 0              ? "; there are "
                   : name(from, i + 1) ? ", "
                                       : " and ",
                   name(from, i));
}

static int refuse(struct buf *b)
{
    options_trouble("--where: %s", buf_get(b));
    buf_free(b);
    return -1;
}

static bool is_word(const char *const *words, const char *glob)
{
    for (; *words; words++)
        if (query_glob(glob, *words))
            return true;
    return false;
}

static int check_value(const struct where_key *key, const char *value)
{
    struct buf b;
    buf_init(&b, 1024);
    if (!*value)
        buf_printf(&b, "'%s=' needs a value", key->name);
    else if (key->words && !is_word(key->words, value)) {
        buf_printf(&b, "%s cannot be '%s'", key->name, value);
        hint(&b, value, key->words, word_of);
    } else if (key->is_number && value[strspn(value, "0123456789*?[-]")])
        buf_printf(&b, "%s cannot be '%s'; it is a number", key->name, value);
    else {
        buf_free(&b);
        return 0;
    }
    return refuse(&b);
}

/* `part`: KEY=VALUE. */
static int parse_one(char *part, const char *what, const struct where_key *keys,
                     struct where_condition *out)
{
    struct buf b;
    char *equal = strchr(part, '=');
    buf_init(&b, 1024);
    if (!equal) {
        buf_printf(&b, "'%s' is not KEY=VALUE", part);
        return refuse(&b);
    }
    *equal = 0;
    *out = (struct where_condition){part, equal + 1};
    for (const struct where_key *k = keys; k->name; k++)
        if (strcmp(k->name, part) == 0) {
            buf_free(&b);
            return check_value(k, equal + 1);
        }
    buf_printf(&b, "%s have no key '%s'", what, part);
    hint(&b, part, keys, key_of);
    return refuse(&b);
}

static bool is_twice(const struct where_condition *conditions, int count)
{
    for (int i = 0; i + 1 < count; i++)
        if (strcmp(conditions[i].key, conditions[count - 1].key) == 0)
            return true;
    return false;
}

int where_parse(char *text, const char *what, const struct where_key *keys,
                struct where_condition out[WHERE_MAX])
{
    int count = 0;
    char *rest = NULL;
    for (char *part = strtok_r(text, ",", &rest); part;
         part = strtok_r(NULL, ",", &rest)) {
        if (count == WHERE_MAX) {
            options_trouble("--where: more than %d conditions", WHERE_MAX);
            return -1;
        }
        if (parse_one(part, what, keys, &out[count]) < 0)
            return -1;
        if (is_twice(out, ++count)) {
            options_trouble("--where: '%s' stands there twice", part);
            return -1;
        }
    }
    /* with 'delete' no condition would be all there is */
    if (count == 0)
        options_trouble("--where: no condition; it is KEY=VALUE,...");
    return count ? count : -1;
}
