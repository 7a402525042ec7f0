/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a condition of --where holds; see where.h. */
#include "tools/cli/screen/where.h"
#include "tools/common/text/json.h"
#include "tools/query/db.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_like(const struct where_condition *c, const char *text,
                    const char *other)
{
    bool is = query_glob(c->value, text) || query_glob(c->value, other);
    return (text || other) && is == (c->op == WHERE_LIKE);
}

/* `order`: below 0 if what the row has is less than what was written. */
static bool is_ordered(enum where_operator op, int order)
{
    switch (op) {
    case WHERE_LIKE:
        return order == 0;
    case WHERE_UNLIKE:
        return order != 0;
    case WHERE_BELOW:
        return order < 0;
    case WHERE_AT_MOST:
        return order <= 0;
    case WHERE_ABOVE:
        return order > 0;
    case WHERE_AT_LEAST:
        return order >= 0;
    }
    return false;
}

/* Digits that fit: a double knows 53 bits of them. */
static bool is_integer(const char *text, long long *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return end != text && !*end && errno == 0;
}

static bool holds_value(const struct where_condition *c, const char *object)
{
    const char *key = strchr(c->name, '.') + 1;
    size_t cap = object ? strlen(object) + 1 : 0;
    char *text = cap ? malloc(cap) : NULL, *end = NULL;
    long long whole, wanted;
    bool is = text && json_member_text(object, key, text, cap);
    if (is && (c->op == WHERE_LIKE || c->op == WHERE_UNLIKE)) {
        is = is_like(c, text, NULL);
    } else if (is && is_integer(text, &whole) &&
               is_integer(c->value, &wanted)) {
        is = is_ordered(c->op, (whole > wanted) - (whole < wanted));
    } else if (is) {
        double n = strtod(text, &end);
        is = end != text && !*end && isfinite(n) &&
             is_ordered(c->op, (n > c->real) - (n < c->real));
    }
    free(text);
    return is;
}

bool where_holds(const struct where_condition *c, struct where_fact fact)
{
    char digits[24];
    bool is_like_op = c->op == WHERE_LIKE || c->op == WHERE_UNLIKE;
    if (c->key->kind == WHERE_VALUE)
        return holds_value(c, fact.text);
    if (c->key->kind == WHERE_TEXT || c->key->kind == WHERE_WORD)
        return is_like(c, fact.text, fact.other);
    if (fact.number < 0)
        return false;
    if (c->key->kind == WHERE_NUMBER && is_like_op) {
        snprintf(digits, sizeof digits, "%lld", (long long)fact.number);
        return is_like(c, digits, NULL);
    }
    return is_ordered(c->op,
                      (fact.number > c->number) - (fact.number < c->number));
}
