/* SPDX-License-Identifier: Apache-2.0 */
/*
 * [[attributes]]: one table says what each takes, one function per shape
 * reads it. What they mean is decided in declare.c and parse.c.
 */
#include "manifest/grammar/grammar.h"

#include <string.h>

enum shape {
    SHAPE_OPTIONAL_STRING,
    SHAPE_STRING,
    SHAPE_INTEGER,
    SHAPE_ITEMS, /* [key =] expr, ... */
    SHAPE_EXPRS, /* expr, ... */
    SHAPE_EXPR,  /* one */
    SHAPE_FAILS, /* expr [, expr] */
    SHAPE_CARRY, /* expr [, expr] [, many] */
    SHAPE_TIME,  /* "2s" */
    SHAPE_TIME_STOP,
    SHAPE_PAIR, /* "name", expr */
    SHAPE_CALLBACK,
    SHAPE_CHOICE, /* a string out of a few */
    SHAPE_OBJECT,
    SHAPE_SETTINGS,
};

static const struct {
    char name[10];
    uint8_t shape;
    bool is_directive, is_setting, is_not_yet;
} table[ATTR_COUNT] = {
    [ATTR_SPAN] = {"span", SHAPE_OPTIONAL_STRING, 0, 0, 0},
    [ATTR_ROOT] = {"root", SHAPE_OPTIONAL_STRING, 0, 0, 0},
    [ATTR_EVENT] = {"event", SHAPE_STRING, 0, 0, 0},
    [ATTR_MATCH] = {"match", SHAPE_STRING, 0, 0, 0},
    [ATTR_SYMBOL] = {"symbol", SHAPE_STRING, 0, 0, 0},
    [ATTR_AT] = {"at", SHAPE_INTEGER, 0, 0, 0},
    [ATTR_FILE] = {"file", SHAPE_STRING, 0, 0, 0},
    [ATTR_INPUT] = {"input", SHAPE_ITEMS, 0, 0, 0},
    [ATTR_OUTPUT] = {"output", SHAPE_ITEMS, 0, 0, 0},
    [ATTR_ATTR] = {"attr", SHAPE_ITEMS, 0, 0, 0},
    [ATTR_SECRET] = {"secret", SHAPE_EXPRS, 0, 0, 0},
    [ATTR_FAILS] = {"fails", SHAPE_FAILS, 0, 0, 0},
    [ATTR_BENIGN] = {"benign", SHAPE_EXPR, 0, 0, 0},
    [ATTR_SLOW] = {"slow", SHAPE_TIME, 0, 0, 0},
    [ATTR_OVERDUE] = {"overdue", SHAPE_TIME_STOP, 0, 0, 0},
    [ATTR_CAPTURE] = {"capture", SHAPE_CHOICE, 0, 1, 0},
    [ATTR_CAP] = {"cap", SHAPE_INTEGER, 0, 1, 0},
    [ATTR_LOCALS] = {"locals", SHAPE_CHOICE, 0, 1, 0},
    [ATTR_REWRITE] = {"rewrite", SHAPE_CHOICE, 0, 1, 0},
    [ATTR_ARGS] = {"args", SHAPE_STRING, 0, 0, 1},
    [ATTR_CARRY] = {"carry", SHAPE_CARRY, 0, 0, 0},
    [ATTR_ADOPT] = {"adopt", SHAPE_EXPR, 0, 0, 0},
    [ATTR_FORGET] = {"forget", SHAPE_EXPR, 0, 0, 0},
    [ATTR_LINK] = {"link", SHAPE_EXPR, 0, 0, 0},
    [ATTR_BEGIN] = {"begin", SHAPE_PAIR, 0, 0, 0},
    [ATTR_END] = {"end", SHAPE_PAIR, 0, 0, 0},
    [ATTR_CALLBACK] = {"callback", SHAPE_CALLBACK, 0, 0, 0},
    [ATTR_PROGRAM] = {"program", SHAPE_STRING, 1, 0, 0},
    [ATTR_OBJECT] = {"object", SHAPE_OBJECT, 1, 0, 0},
    [ATTR_INCLUDE] = {"include", SHAPE_STRING, 1, 0, 0},
    [ATTR_DEFAULTS] = {"defaults", SHAPE_SETTINGS, 1, 0, 0},
};

const char *attribute_name(enum attribute_kind kind)
{
    return table[kind].name;
}

bool attribute_is_directive(enum attribute_kind kind)
{
    return table[kind].is_directive;
}

const struct attribute *attribute_find(const struct attribute *list,
                                       enum attribute_kind kind)
{
    for (; list; list = list->next)
        if (list->kind == kind)
            return list;
    return NULL;
}

/* ---- shapes ---------------------------------------------------------- */

static bool parse_text(struct parser *p, struct attribute *attr)
{
    attr->text_at = p->tok.at;
    attr->text = parser_string(p, "a string");
    return attr->text != NULL;
}

static bool parse_integer(struct parser *p, struct attribute *attr)
{
    if (p->tok.kind != TOKEN_INTEGER) {
        parser_unexpected(p, "a number");
        return false;
    }
    attr->text_at = p->tok.at;
    attr->number = p->tok.value;
    parser_advance(p);
    return true;
}

/* `key =`, if there is one: `=` and not `==` */
static bool parse_key(struct parser *p, struct argument *arg)
{
    struct token next = parser_peek(p, 1);
    if (p->tok.kind != TOKEN_NAME || next.kind != TOKEN_PUNCT ||
        next.punct != '=')
        return true;
    arg->key_at = p->tok.at;
    arg->key = parser_name(p, "a key");
    parser_advance(p);
    return arg->key != NULL;
}

static struct argument *parse_argument(struct parser *p, bool with_key,
                                       struct argument ***end)
{
    struct argument *arg = PARSER_NEW(p, struct argument);
    if (!arg || (with_key && !parse_key(p, arg)))
        return NULL;
    arg->node = parse_expression(p);
    if (!arg->node)
        return NULL;
    **end = arg;
    *end = &arg->next;
    return arg;
}

static bool parse_list(struct parser *p, struct attribute *attr, bool with_keys,
                       uint32_t limit)
{
    struct argument **end = &attr->args;
    for (uint32_t n = 0; n == 0 || parser_accept(p, ','); n++) {
        if (n == limit) {
            parser_error(p, p->tok.at, "'", attribute_name(attr->kind),
                         limit == LIMIT_ITEMS
                             ? "' takes at most 256 expressions"
                         : limit == 1 ? "' takes one expression"
                                      : "' takes at most two expressions");
            return false;
        }
        if (!parse_argument(p, with_keys, &end))
            return false;
    }
    return true;
}

/* "250ms" and its like to nanoseconds */
static bool parse_time(struct parser *p, struct attribute *attr)
{
    static const struct {
        char unit[4];
        uint64_t ns;
    } units[] = {{"us", 1000},
                 {"ms", 1000000},
                 {"s", 1000000000},
                 {"min", 60000000000},
                 {"h", 3600000000000}};
    if (!parse_text(p, attr))
        return false;
    const char *at = attr->text;
    uint64_t whole = 0, part = 0, scale = 1;
    bool has_digit = false, ok = true;
    for (; *at >= '0' && *at <= '9'; at++, has_digit = true)
        if (whole < 1000000000)
            whole = whole * 10 + (uint64_t)(*at - '0');
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9' && scale < 1000000; at++) {
            part = part * 10 + (uint64_t)(*at - '0');
            scale *= 10;
        }
    while (*at == ' ')
        at++;
    for (size_t i = 0; has_digit && i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(at, units[i].unit) == 0) {
            ok = !__builtin_mul_overflow(whole, units[i].ns, &attr->number) &&
                 !__builtin_add_overflow(
                     attr->number, part * units[i].ns / scale, &attr->number);
            if (ok && attr->number)
                return true;
        }
    parser_error(p, attr->text_at, "'", attr->text,
                 "' is no time; write a number and us, ms, s, min or h, as in "
                 "\"2s\"");
    return false;
}

static bool parse_choice(struct parser *p, struct attribute *attr)
{
    static const struct {
        enum attribute_kind kind;
        char text[9];
        uint32_t number;
    } choices[] = {{ATTR_CAPTURE, "none", MANIFEST_CAPTURE_NONE},
                   {ATTR_CAPTURE, "named", MANIFEST_CAPTURE_NAMED},
                   {ATTR_CAPTURE, "all", MANIFEST_CAPTURE_ALL},
                   {ATTR_LOCALS, "on", 1},
                   {ATTR_LOCALS, "off", 0},
                   {ATTR_REWRITE, "pointers", 1},
                   {ATTR_REWRITE, "none", 0}};
    if (!parse_text(p, attr))
        return false;
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
        if (choices[i].kind == attr->kind &&
            strcmp(choices[i].text, attr->text) == 0) {
            attr->number = choices[i].number;
            return true;
        }
    parser_error(p, attr->text_at, "'", attribute_name(attr->kind),
                 attr->kind == ATTR_CAPTURE
                     ? "' is \"none\", \"named\" or \"all\""
                 : attr->kind == ATTR_LOCALS ? "' is \"on\" or \"off\""
                                             : "' is \"pointers\" or \"none\"");
    return false;
}

static bool is_hex(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if (!((text[i] >= '0' && text[i] <= '9') ||
              (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    return len >= 2 && len <= 64;
}

static bool parse_object(struct parser *p, struct attribute *attr)
{
    attr->is_main = parser_accept_word(p, "main");
    if (!attr->is_main && !parse_text(p, attr))
        return false;
    if (!parser_accept(p, ','))
        return true;
    if (!parser_accept_word(p, "build_id")) {
        parser_unexpected(p, "build_id(\"...\")");
        return false;
    }
    if (!parser_expect(p, '(', "behind 'build_id'"))
        return false;
    struct mark at = p->tok.at;
    attr->build_id = parser_string(p, "a string");
    if (!attr->build_id || !parser_expect(p, ')', "behind the build id"))
        return false;
    if (is_hex(attr->build_id))
        return true;
    parser_error(p, at, "a build id is 2 to 64 lower-case hex digits");
    return false;
}

static bool parse_pair(struct parser *p, struct attribute *attr)
{
    return parse_text(p, attr) && parser_expect(p, ',', "behind the name") &&
           parse_list(p, attr, false, 1);
}

static bool parse_callback(struct parser *p, struct attribute *attr)
{
    struct argument **end = &attr->args;
    if (!parse_argument(p, false, &end) ||
        !parser_expect(p, ',', "behind the expression"))
        return false;
    attr->ident_at = p->tok.at;
    attr->ident = parser_name(p, "the name of a function typedef");
    return attr->ident != NULL;
}

static bool accept_many(struct parser *p, struct attribute *attr)
{
    struct token next = parser_peek(p, 1);
    if (!parser_is_word(p, "many") || next.kind != TOKEN_PUNCT ||
        next.punct != ')')
        return false;
    attr->has_many = true;
    parser_advance(p);
    return true;
}

/* carry(key), carry(key, many), carry(fn, data), carry(fn, data, many) */
static bool parse_carry(struct parser *p, struct attribute *attr)
{
    struct argument **end = &attr->args;
    if (!parse_argument(p, false, &end))
        return false;
    if (!parser_accept(p, ',') || accept_many(p, attr))
        return true;
    if (!parse_argument(p, false, &end))
        return false;
    if (!parser_accept(p, ',') || accept_many(p, attr))
        return true;
    parser_unexpected(p, "'many'");
    return false;
}

static bool parse_stop(struct parser *p, struct attribute *attr)
{
    if (!parser_accept(p, ','))
        return true;
    attr->has_stop = parser_accept_word(p, "stop");
    if (!attr->has_stop)
        parser_unexpected(p, "'stop'");
    return attr->has_stop;
}

static struct attribute *parse_attribute(struct parser *p, bool only_settings);

static bool parse_settings(struct parser *p, struct attribute *attr)
{
    struct attribute **end = &attr->settings;
    do {
        struct attribute *setting = parse_attribute(p, true);
        if (!setting)
            return false;
        *end = setting;
        end = &setting->next;
    } while (parser_accept(p, ','));
    return true;
}

static bool parse_shape(struct parser *p, struct attribute *attr)
{
    switch ((enum shape)table[attr->kind].shape) {
    case SHAPE_OPTIONAL_STRING:
    case SHAPE_STRING:
        return parse_text(p, attr);
    case SHAPE_INTEGER:
        return parse_integer(p, attr);
    case SHAPE_ITEMS:
        return parse_list(p, attr, true, LIMIT_ITEMS);
    case SHAPE_EXPRS:
        return parse_list(p, attr, false, LIMIT_ITEMS);
    case SHAPE_EXPR:
        return parse_list(p, attr, false, 1);
    case SHAPE_FAILS:
        return parse_list(p, attr, false, 2);
    case SHAPE_CARRY:
        return parse_carry(p, attr);
    case SHAPE_TIME:
        return parse_time(p, attr);
    case SHAPE_TIME_STOP:
        return parse_time(p, attr) && parse_stop(p, attr);
    case SHAPE_PAIR:
        return parse_pair(p, attr);
    case SHAPE_CALLBACK:
        return parse_callback(p, attr);
    case SHAPE_CHOICE:
        return parse_choice(p, attr);
    case SHAPE_OBJECT:
        return parse_object(p, attr);
    case SHAPE_SETTINGS:
        return parse_settings(p, attr);
    }
    return false;
}

/* ---- one attribute, and lists of them -------------------------------- */

static bool find_attribute(struct parser *p, const char *name, struct mark at,
                           bool only_settings, enum attribute_kind *kind)
{
    struct nearest near;
    nearest_start(&near, name);
    for (size_t i = 0; i < ATTR_COUNT; i++) {
        if (only_settings && !table[i].is_setting)
            continue;
        if (strcmp(table[i].name, name) == 0) {
            *kind = (enum attribute_kind)i;
            return true;
        }
        nearest_try(&near, table[i].name);
    }
    const char *what = only_settings ? "no setting '" : "unknown attribute '";
    if (near.best)
        parser_error(p, at, what, name, "'; did you mean '", near.best, "'?");
    else
        parser_error(p, at, what, name, "'");
    return false;
}

static void tell_not_yet(struct parser *p, const struct attribute *attr)
{
    uint64_t bit = (uint64_t)1 << attr->kind;
    if (!table[attr->kind].is_not_yet || (p->not_yet & bit) || p->in_types)
        return;
    p->not_yet |= bit;
    parser_report(p, MANIFEST_NOT_YET, attr->at, "'",
                  attribute_name(attr->kind),
                  "' is understood but has no effect in this version", NULL);
}

static struct attribute *parse_attribute(struct parser *p, bool only_settings)
{
    struct mark at = p->tok.at;
    const char *name = parser_name(p, "an attribute");
    struct attribute *attr = name ? PARSER_NEW(p, struct attribute) : NULL;
    if (!attr || !find_attribute(p, name, at, only_settings, &attr->kind))
        return NULL;
    attr->at = at;
    tell_not_yet(p, attr);
    if (table[attr->kind].shape == SHAPE_OPTIONAL_STRING && !parser_is(p, '('))
        return attr;
    if (!parser_expect(p, '(', "behind the attribute") || !parse_shape(p, attr))
        return NULL;
    if (!parser_expect(p, ')', "behind the attribute's arguments"))
        return NULL;
    return attr;
}

static bool may_repeat(enum attribute_kind kind)
{
    uint8_t shape = table[kind].shape;
    return shape == SHAPE_ITEMS || shape == SHAPE_EXPRS ||
           shape == SHAPE_FAILS || shape == SHAPE_CARRY || kind == ATTR_END ||
           shape == SHAPE_CALLBACK || (shape == SHAPE_EXPR);
}

static bool append(struct parser *p, struct attribute **list,
                   struct attribute *attr, uint32_t *count)
{
    struct attribute **end = list;
    for (; *end; end = &(*end)->next)
        if ((*end)->kind == attr->kind && !may_repeat(attr->kind)) {
            parser_error(p, attr->at, "'", attribute_name(attr->kind),
                         "' stands twice");
            return false;
        }
    if ((*count)++ == LIMIT_ITEMS) {
        parser_error(p, attr->at, "more than 256 attributes");
        return false;
    }
    *end = attr;
    return true;
}

bool parse_attributes(struct parser *p, struct attribute **out)
{
    uint32_t count = 0;
    *out = NULL;
    for (;;) {
        struct token next = parser_peek(p, 1);
        if (!parser_is(p, '[') || next.kind != TOKEN_PUNCT || next.punct != '[')
            return true;
        parser_advance(p);
        parser_advance(p);
        do {
            struct attribute *attr = parse_attribute(p, false);
            if (!attr || !append(p, out, attr, &count))
                return false;
        } while (parser_accept(p, ','));
        if (!parser_expect(p, ']', "behind the attributes") ||
            !parser_expect(p, ']', "behind the attributes"))
            return false;
    }
}
