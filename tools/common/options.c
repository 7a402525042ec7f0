/* SPDX-License-Identifier: Apache-2.0 */
/* Options out of a table; see options.h. getopt_long knows no nearest name and
 * prints messages of its own, hence this. */
#include "tools/common/options.h"
#include "tools/common/text/format.h"
#include "tools/common/text/text.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line, whatever names are in it. */
static void say(const char *before, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void say(const char *before, const char *format, va_list args)
{
    char *text = NULL;
    struct buf b;
    if (vasprintf(&text, format, args) < 0)
        return;
    buf_init(&b, 4 * strlen(text) + 1);
    text_escape(&b, text);
    fprintf(stderr, "%s%s\n", before, buf_get(&b));
    buf_free(&b);
    free(text);
}

int options_trouble(const char *format, ...)
{
    va_list args;
    fflush(stdout);
    va_start(args, format);
    say("handspan: ", format, args);
    va_end(args);
    return EXIT_TROUBLE;
}

static int bad(const struct options *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int bad(const struct options *o, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs(o->command, stderr);
    say(": ", format, args);
    fprintf(stderr, "Try '%s --help'.\n", o->command);
    va_end(args);
    return OPTIONS_BAD;
}

static void print_option(const struct option_spec *s)
{
    char left[64], letter[8] = "    ";
    if (s->letter)
        snprintf(letter, sizeof letter, "-%c, ", s->letter);
    const char *value = s->value ? s->value : "";
    const char *mark = s->kind == OPTION_OPTIONAL ? "[="
                       : s->kind == OPTION_FLAG   ? ""
                                                  : "=";
    snprintf(left, sizeof left, "  %s--%s%s%s%s", letter, s->name, mark, value,
             s->kind == OPTION_OPTIONAL ? "]" : "");
    printf("%-28s %s\n", left, s->help);
}

static int help(const struct options *o)
{
    printf("Usage: %s%s%s%s\n\n%s\n\n", o->command,
           o->spec_count ? " [OPTION]..." : "", *o->operands ? " " : "",
           o->operands, o->about);
    for (size_t i = 0; i < o->spec_count; i++)
        print_option(&o->specs[i]);
    printf("  -h, --help                 this text\n");
    return OPTIONS_HELP;
}

static int set(const struct options *o, const struct option_spec *s,
               const char *value)
{
    switch (s->kind) {
    case OPTION_FLAG:
        *(bool *)s->target = true;
        return 0;
    case OPTION_TEXT:
    case OPTION_OPTIONAL:
        *(const char **)s->target = value ? value : "";
        return 0;
    case OPTION_NUMBER: {
        if (!value) /* only an optional one may be missing */
            return bad(o, "--%s: '%s' is not a number", s->name, "");
        char *end;
        errno = 0;
        long long n = strtoll(value, &end, 10);
        if (errno || end == value || *end || n < 0)
            return bad(o, "--%s: '%s' is not a number", s->name, value);
        *(int64_t *)s->target = n;
        return 0;
    }
    case OPTION_TIME:
        if (format_parse_time(value, format_now_ns(), s->target) < 0)
            return bad(o,
                       "--%s: '%s' is not a time; write for example 2h, "
                       "yesterday, 2026-03-03 or '2026-03-03 14:30'",
                       s->name, value);
        return 0;
    case OPTION_WORDS: {
        struct option_words *words = s->target;
        size_t len = strlen(words->text), room = sizeof words->text - len;
        if (strlen(value) + 2 > room)
            return bad(o, "--%s: too many", s->name);
        snprintf(words->text + len, room, " %s", value);
        return 0;
    }
    }
    return 0;
}

static int unknown(const struct options *o, const char *arg, size_t len)
{
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)len, arg);
    struct text_nearest near;
    text_nearest_init(&near, word);
    for (size_t i = 0; i < o->spec_count; i++)
        text_nearest_offer(&near, o->specs[i].name);
    text_nearest_offer(&near, "help");
    for (size_t i = 0; !near.name[0] && len > 2 && i < o->spec_count; i++)
        if (strncmp(o->specs[i].name, word, len) == 0)
            near.name[0] = o->specs[i].name;
    if (near.name[0])
        return bad(o, "unknown option '--%s'; did you mean '--%s'?", word,
                   near.name[0]);
    return bad(o, "unknown option '--%s'", word);
}

struct cursor {
    int argc, next;
    char **argv;
};

static int take_value(const struct options *o, const struct option_spec *s,
                      struct cursor *c, const char *attached)
{
    if (s->kind == OPTION_FLAG && attached)
        return bad(o, "--%s takes no value", s->name);
    if (s->kind != OPTION_FLAG && s->kind != OPTION_OPTIONAL && !attached) {
        if (c->next >= c->argc)
            return bad(o, "--%s needs a value (%s)", s->name, s->value);
        attached = c->argv[c->next++];
    }
    return set(o, s, attached);
}

static int parse_long(const struct options *o, struct cursor *c,
                      const char *arg)
{
    size_t len = strcspn(arg, "=");
    if (len == 4 && strncmp(arg, "help", 4) == 0)
        return help(o);
    for (size_t i = 0; i < o->spec_count; i++) {
        const struct option_spec *s = &o->specs[i];
        if (strlen(s->name) == len && strncmp(s->name, arg, len) == 0)
            return take_value(o, s, c, arg[len] ? arg + len + 1 : NULL);
    }
    return unknown(o, arg, len);
}

static int parse_letters(const struct options *o, struct cursor *c,
                         const char *arg)
{
    for (; *arg; arg++) {
        if (*arg == 'h')
            return help(o);
        const struct option_spec *s = NULL;
        for (size_t i = 0; i < o->spec_count; i++)
            if (o->specs[i].letter == *arg)
                s = &o->specs[i];
        if (!s)
            return bad(o, "unknown option '-%c'", *arg);
        if (s->kind == OPTION_FLAG) {
            set(o, s, NULL);
            continue;
        }
        return take_value(o, s, c, arg[1] ? arg + 1 : NULL);
    }
    return 0;
}

int options_parse(const struct options *o, int argc, char **argv)
{
    struct cursor c = {.argc = argc, .next = 1, .argv = argv};
    int operands = 0;
    bool only_operands = false;
    while (c.next < argc) {
        char *arg = argv[c.next++];
        if (only_operands || arg[0] != '-' || arg[1] == 0) {
            argv[operands++] = arg;
            only_operands |= o->stops_at_operand;
            continue;
        }
        if (strcmp(arg, "--") == 0) {
            only_operands = true;
            continue;
        }
        int err = arg[1] == '-' ? parse_long(o, &c, arg + 2)
                                : parse_letters(o, &c, arg + 1);
        if (err)
            return err;
    }
    if (operands < o->operand_min)
        return bad(o, "needs %s", o->operands);
    if (o->operand_max >= 0 && operands > o->operand_max)
        return bad(o, "too many operands: '%s'", argv[o->operand_max]);
    argv[operands] = NULL;
    return operands;
}
