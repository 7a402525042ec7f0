/* SPDX-License-Identifier: Apache-2.0 */
/* See where.h. */
#include "tools/cli/screen/where.h"
#include "tools/common/text/buf.h"
#include "tools/common/text/format.h"
#include "tools/common/options.h"
#include "tools/common/text/text.h"
#include "tools/query/db.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const statuses[] = {"ok", "error", "unfinished", "open",
                                       NULL};
static const char *const ends[] = {"return", "exception", "longjmp", "cancel",
                                   "exit",   "exec",      "signal",  "killed",
                                   "event",  "unknown",   NULL};
const struct where_key where_trace_keys[] = {{"status", WHERE_WORD, statuses},
                                             {"service", WHERE_TEXT, NULL},
                                             {"host", WHERE_TEXT, NULL},
                                             {"name", WHERE_TEXT, NULL},
                                             {"duration", WHERE_DURATION, NULL},
                                             {"started", WHERE_TIME, NULL},
                                             {NULL, WHERE_TEXT, NULL}};
const struct where_key where_span_keys[] = {
    {"name", WHERE_TEXT, NULL},        {"symbol", WHERE_TEXT, NULL},
    {"object", WHERE_TEXT, NULL},      {"status", WHERE_WORD, statuses},
    {"ended_by", WHERE_WORD, ends},    {"duration", WHERE_DURATION, NULL},
    {"self", WHERE_DURATION, NULL},    {"cpu", WHERE_DURATION, NULL},
    {"queue", WHERE_DURATION, NULL},   {"started", WHERE_TIME, NULL},
    {"depth", WHERE_NUMBER, NULL},     {"input.", WHERE_VALUE, NULL},
    {"output.", WHERE_VALUE, NULL},    {"attr.", WHERE_VALUE, NULL},
    {"pid", WHERE_NUMBER, NULL},       {"tid", WHERE_NUMBER, NULL},
    {"thread_name", WHERE_TEXT, NULL}, {NULL, WHERE_TEXT, NULL}};

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
        buf_printf(b, "; did you mean '%s%s'?", near.name[0],
                   strchr(near.name[0], '.') ? "NAME" : "");
        return;
    }
    for (int i = 0; name(from, i); i++) {
        const char *end = strchr(name(from, i), '.');
        buf_printf(b, "%s%s%s",
                   i == 0              ? "; there are "
                   : name(from, i + 1) ? ", "
                                       : " and ",
                   name(from, i), end ? "NAME" : "");
    }
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

/* ---- one condition ------------------------------------------------------- */

static const struct {
    const char *sign;
    enum where_operator op;
} operators[] = {{"!=", WHERE_UNLIKE},   {"<=", WHERE_AT_MOST},
                 {">=", WHERE_AT_LEAST}, {"=", WHERE_LIKE},
                 {"~", WHERE_LIKE},      {"<", WHERE_BELOW},
                 {">", WHERE_ABOVE}};
#define BLANKS " \t\n"

static bool is_order(enum where_operator op)
{
    return op != WHERE_LIKE && op != WHERE_UNLIKE;
}

/* A glob of a number, as of old: tid=[0-9]* */
static bool is_number_glob(const char *value)
{
    return !value[strspn(value, "0123456789*?[-^]")];
}

static bool parse_digits(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && errno == 0;
}

static bool parse_real(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && !*end && isfinite(*out);
}

/* "" or what is wrong with the value. */
static void judge_value(struct where_condition *c, int64_t now, struct buf *b)
{
    const struct where_key *key = c->key;
    const char *value = c->value;
    bool order = is_order(c->op);
    if (!*value)
        buf_printf(b, "'%s' needs a value", c->name);
    else if (order && (key->kind == WHERE_TEXT || key->kind == WHERE_WORD))
        buf_printf(b, "%s has no order; compare it by =, != or ~", c->name);
    else if (key->kind == WHERE_WORD && !is_word(key->words, value)) {
        buf_printf(b, "%s cannot be '%s'", c->name, value);
        hint(b, value, key->words, word_of);
    } else if (key->kind == WHERE_NUMBER &&
               (order ? !parse_digits(value, &c->number)
                      : !is_number_glob(value)))
        buf_printf(b, "%s cannot be '%s'; it is a number", c->name, value);
    else if (key->kind == WHERE_DURATION &&
             format_parse_duration(value, &c->number) < 0)
        buf_printf(b,
                   "'%s' is not a duration; write for example 2s, 1.5h or "
                   "250ms (ns, us, ms, s, m, h, d)",
                   value);
    else if (key->kind == WHERE_TIME &&
             format_parse_time(value, now, &c->number) < 0)
        buf_printf(b,
                   "'%s' is not a time; write for example 2h, yesterday, "
                   "2026-03-03 or '2026-03-03 14:30'",
                   value);
    else if (key->kind == WHERE_VALUE && order && !parse_real(value, &c->real))
        buf_printf(b, "%s: '%s' has no order; it is no number", c->name, value);
}

static bool is_key(const struct where_key *k, const char *name)
{
    size_t len = strlen(k->name);
    return k->kind == WHERE_VALUE
               ? strncmp(k->name, name, len) == 0 && name[len]
               : strcmp(k->name, name) == 0;
}

/* The end of a quoted value, its quotes and \ undone; NULL: it has none. */
static char *unquote(char *text, char quote)
{
    char *to = text;
    for (char *from = text; *from; from++) {
        if (*from == quote) {
            *to = 0;
            return from + 1;
        }
        if (*from == '\\' && (from[1] == quote || from[1] == '\\'))
            from++;
        *to++ = *from;
    }
    return NULL;
}

/* Does a condition end here: at a comma, " and ", or the end? */
static bool is_end(const char *at)
{
    size_t blank = strspn(at, BLANKS);
    const char *word = at + blank;
    return !*word || *word == ',' ||
           (blank && strncmp(word, "and", 3) == 0 &&
            (!word[3] || strchr(BLANKS, word[3])));
}

/* Words that people write for joining, within a value without quotes. */
static const char *other_joint(const char *value)
{
    static const char *const joints[] = {" or ", " AND ", " OR ", " && ",
                                         " || "};
    for (size_t i = 0; i < sizeof joints / sizeof *joints; i++)
        if (strstr(value, joints[i]))
            return joints[i];
    return NULL;
}

/* The value at `at`; behind it. NULL: `b` says what is wrong. */
static char *take_value(char *at, struct where_condition *c, struct buf *b)
{
    char quote = *at == '"' || *at == '\'' ? *at : 0;
    c->value = at + (quote != 0);
    char *end = quote ? unquote(at + 1, quote) : at;
    if (!end) {
        buf_printf(b, "the value of %s has no closing %c", c->name, quote);
    } else if (quote && !is_end(end)) {
        buf_printf(b,
                   "'%s' behind the value of %s; conditions are joined by "
                   "'and' or a comma",
                   end, c->name);
    } else if (!quote) {
        while (!is_end(end))
            end++;
    }
    return b->len_bytes ? NULL : end;
}

/* Behind what joins two conditions, cut off; the end: a NUL. */
static char *cut(char *end, struct buf *b)
{
    char *rest = end + strspn(end, BLANKS);
    bool is_and = *rest && *rest != ',';
    rest += is_and ? strlen("and") : *rest == ',';
    rest += strspn(rest, BLANKS);
    if (is_and && !*rest)
        buf_text(b, "no condition behind 'and'");
    *end = 0;
    return rest;
}

/* KEY OPERATOR VALUE at `at`, which is what follows. NULL: see `b`. */
static char *take(char *at, struct where_condition *c, struct buf *b)
{
    char *end = at + strcspn(at, "=!<>~,"), *rest;
    char *sign = end, *stop = end;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (stop == sign &&
            strncmp(sign, operators[i].sign, strlen(operators[i].sign)) == 0) {
            c->op = operators[i].op;
            stop = sign + strlen(operators[i].sign);
        }
    while (end > at && strchr(BLANKS, end[-1]))
        end--;
    if (stop == sign || end == at) {
        for (rest = at; !is_end(rest);)
            rest++;
        *rest = 0;
        buf_printf(b, "'%s' is not KEY=VALUE (nor with !=, <, <=, >, >=, ~)",
                   at);
        return NULL;
    }
    bool is_double = *sign == '=' && *stop == '=';
    *end = 0; /* may be where the sign was */
    c->name = at;
    if (is_double) {
        buf_printf(b, "'%s==': write one '='", at);
        return NULL;
    }
    stop += strspn(stop, BLANKS);
    bool is_quoted = *stop == '"' || *stop == '\'';
    end = take_value(stop, c, b);
    rest = end ? cut(end, b) : NULL;
    const char *joint = end && !is_quoted ? other_joint(c->value) : NULL;
    if (joint) {
        buf_printf(b,
                   "'%s' joins no conditions; they are joined by 'and' or a "
                   "comma, and a value that has it stands in \"quotes\"",
                   joint);
        return NULL;
    }
    return rest;
}

static void judge(struct where_condition *c, const char *what,
                  const struct where_key *keys, int64_t now, struct buf *b)
{
    for (const struct where_key *k = keys; k->name && !c->key; k++)
        if (is_key(k, c->name))
            c->key = k;
    if (c->key) {
        judge_value(c, now, b);
        return;
    }
    for (const struct where_key *k = keys; k->name; k++)
        if (k->kind == WHERE_VALUE && strcmp(k->name, c->name) == 0) {
            buf_printf(b, "'%s' needs the name of a value, as %spath", c->name,
                       c->name);
            return;
        }
    buf_printf(b, "%s have no key '%s'", what, c->name);
    hint(b, c->name, keys, key_of);
}

/* One value twice, of which at most one can be meant. */
static bool is_twice(const struct where_condition *conditions, int count)
{
    const struct where_condition *last = &conditions[count - 1];
    for (int i = 0; i + 1 < count; i++)
        if (strcmp(conditions[i].name, last->name) == 0 &&
            conditions[i].op == WHERE_LIKE && last->op == WHERE_LIKE)
            return true;
    return false;
}

int where_parse(char *text, const char *what, const struct where_key *keys,
                int64_t now_unix_ns, struct where_condition out[WHERE_MAX])
{
    int count = 0;
    struct buf b;
    buf_init(&b, 1 << 16);
    char *at = text + strspn(text, BLANKS ",");
    if (strlen(text) > WHERE_BYTES)
        buf_printf(&b, "longer than %d bytes", WHERE_BYTES);
    while (!b.len_bytes && *at && count < WHERE_MAX) {
        struct where_condition *c = &out[count++];
        *c = (struct where_condition){0};
        at = take(at, c, &b);
        if (at)
            judge(c, what, keys, now_unix_ns, &b);
        if (b.len_bytes)
            return refuse(&b);
        if (is_twice(out, count))
            buf_printf(&b, "'%s' stands there twice", c->name);
        at += strspn(at, BLANKS ",");
    }
    if (!b.len_bytes && *at)
        buf_printf(&b, "more than %d conditions", WHERE_MAX);
    /* with 'delete' no condition would be all there is */
    if (!b.len_bytes && count == 0)
        buf_text(&b, "no condition; it is KEY=VALUE,...");
    if (b.len_bytes)
        return refuse(&b);
    buf_free(&b);
    return count;
}
