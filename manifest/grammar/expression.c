/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions to a tree. Attributes stand before the declaration that they
 * speak of, so names and types are found later, in compile.c. The number of
 * nodes is limited: every walk over a tree may recurse.
 */
#include "manifest/grammar/grammar.h"

#include <string.h>

enum {
    LIMIT_NODES = 200,
    LIMIT_KEY_BYTES = 120
};

static struct node *new_node(struct parser *p, enum node_kind kind,
                             struct mark at)
{
    if (++p->nodes > LIMIT_NODES) {
        parser_error(p, at, "this expression is too long");
        return NULL;
    }
    struct node *node = PARSER_NEW(p, struct node);
    if (node) {
        node->kind = kind;
        node->at = at;
    }
    return node;
}

static struct node *parse_binary(struct parser *p, int least);

static struct node *parse_number(struct parser *p)
{
    struct token tok = p->tok;
    struct node *node = new_node(p, NODE_NUMBER, tok.at);
    if (!node)
        return NULL;
    parser_advance(p);
    node->value = (int64_t)tok.value;
    node->type = tok.is_long ? (tok.is_unsigned ? &type_ulong.t : &type_long.t)
                 : tok.is_unsigned ? &type_uint.t
                                   : &type_int.t;
    return node;
}

static struct node *parse_word(struct parser *p)
{
    static const struct {
        char word[8];
        enum node_kind kind;
    } words[] = {{"return", NODE_RETURN},
                 {"errno", NODE_ERRNO},
                 {"exit", NODE_EXIT},
                 {"longjmp", NODE_LONGJMP}};
    struct mark at = p->tok.at;
    enum node_kind kind = NODE_NAME;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (parser_is_word(p, words[i].word))
            kind = words[i].kind;
    const char *text = parser_name(p, "a name");
    struct node *node = text ? new_node(p, kind, at) : NULL;
    if (node)
        node->text = text;
    return node;
}

static struct node *parse_primary(struct parser *p)
{
    if (p->tok.kind == TOKEN_INTEGER || p->tok.kind == TOKEN_CHAR)
        return parse_number(p);
    if (p->tok.kind == TOKEN_NAME)
        return parse_word(p);
    if (p->tok.kind == TOKEN_FLOAT) {
        parser_error(p, p->tok.at, "expressions have no floating point");
        return NULL;
    }
    if (!parser_is(p, '(')) {
        parser_unexpected(p, "an expression");
        return NULL;
    }
    struct mark at = p->tok.at;
    parser_advance(p);
    struct node *node = parse_binary(p, 0);
    if (!node || !parser_expect(p, ')', "behind the expression"))
        return NULL;
    node->at = mark_join(at, p->tok_end);
    return node;
}

/* `[i]` or `[a:b]`, the bracket is the current token */
static struct node *parse_index(struct parser *p, struct node *base)
{
    struct node *node = new_node(p, NODE_INDEX, base->at);
    if (!node)
        return NULL;
    parser_advance(p);
    node->a = base;
    node->b = parse_binary(p, 0);
    if (!node->b)
        return NULL;
    if (parser_accept(p, ':')) {
        node->kind = NODE_SLICE;
        node->c = parse_binary(p, 0);
        if (!node->c)
            return NULL;
    }
    if (!parser_expect(p, ']', "behind the index"))
        return NULL;
    node->at = mark_join(base->at, p->tok_end);
    return node;
}

static struct node *parse_postfix(struct parser *p)
{
    struct node *base = parse_primary(p);
    while (base) {
        bool is_arrow = parser_is(p, PUNCT2('-', '>'));
        if (parser_is(p, '[')) {
            base = parse_index(p, base);
        } else if (is_arrow || parser_is(p, '.')) {
            struct node *node = new_node(p, NODE_MEMBER, base->at);
            parser_advance(p);
            if (!node || !(node->text = parser_name(p, "a member")))
                return NULL;
            node->is_arrow = is_arrow;
            node->a = base;
            node->at = mark_join(base->at, p->tok_end);
            base = node;
        } else if (parser_is(p, '(')) {
            parser_error(p, p->tok.at, "expressions call nothing");
            return NULL;
        } else {
            break;
        }
    }
    return base;
}

static struct node *parse_unary(struct parser *p)
{
    enum node_kind kind = parser_is(p, '*')   ? NODE_DEREF
                          : parser_is(p, '!') ? NODE_NOT
                          : parser_is(p, '-') ? NODE_MINUS
                                              : NODE_NAME;
    struct node *node;
    if (!parser_enter(p))
        return NULL;
    if (kind == NODE_NAME) {
        node = parse_postfix(p);
    } else {
        struct mark at = p->tok.at;
        node = new_node(p, kind, at);
        parser_advance(p);
        if (node && !(node->a = parse_unary(p)))
            node = NULL;
        if (node)
            node->at = mark_join(at, p->tok_end);
    }
    parser_leave(p);
    return node;
}

static int precedence(const struct token *tok)
{
    if (tok->kind != TOKEN_PUNCT)
        return -1;
    switch (tok->punct) {
    case PUNCT2('|', '|'):
        return 0;
    case PUNCT2('&', '&'):
        return 1;
    case PUNCT2('=', '='):
    case PUNCT2('!', '='):
        return 2;
    case '<':
    case '>':
    case PUNCT2('<', '='):
    case PUNCT2('>', '='):
        return 3;
    case '+':
    case '-':
        return 4;
    case '*':
    case '/':
    case '%':
        return 5;
    }
    return -1;
}

static struct node *parse_binary(struct parser *p, int least)
{
    struct node *left = parse_unary(p);
    while (left) {
        int level = precedence(&p->tok);
        if (level < least)
            break;
        struct node *node = new_node(p, NODE_BINARY, left->at);
        if (!node)
            return NULL;
        node->op = p->tok.punct;
        parser_advance(p);
        node->a = left;
        node->b = parse_binary(p, level + 1);
        if (!node->b)
            return NULL;
        node->at = mark_join(left->at, p->tok_end);
        left = node;
    }
    return left;
}

struct node *parse_expression(struct parser *p)
{
    p->nodes = 0;
    return parse_binary(p, 0);
}

/* ---- constants ------------------------------------------------------- */

static bool fold_binary(uint32_t op, int64_t a, int64_t b, int64_t *out)
{
    switch (op) {
    case PUNCT2('|', '|'):
        *out = a || b;
        return true;
    case PUNCT2('&', '&'):
        *out = a && b;
        return true;
    case PUNCT2('=', '='):
        *out = a == b;
        return true;
    case PUNCT2('!', '='):
        *out = a != b;
        return true;
    case '<':
        *out = a < b;
        return true;
    case '>':
        *out = a > b;
        return true;
    case PUNCT2('<', '='):
        *out = a <= b;
        return true;
    case PUNCT2('>', '='):
        *out = a >= b;
        return true;
    case '+':
        return !__builtin_add_overflow(a, b, out);
    case '-':
        return !__builtin_sub_overflow(a, b, out);
    case '*':
        return !__builtin_mul_overflow(a, b, out);
    }
    if (b == 0 || (a == INT64_MIN && b == -1))
        return false;
    *out = op == '/' ? a / b : a % b;
    return true;
}

static bool fold(struct parser *p, const struct node *node, int64_t *out)
{
    int64_t a, b;
    struct name *name;
    int number;
    switch (node->kind) {
    case NODE_NUMBER:
        *out = node->value;
        return true;
    case NODE_NAME:
        name =
            parser_find_name(p, NAME_CONSTANT, node->text, strlen(node->text));
        if (name)
            *out = name->value;
        else if (errno_find(node->text, strlen(node->text), &number))
            *out = number;
        else
            break;
        return true;
    case NODE_NOT:
        if (!fold(p, node->a, &a))
            return false;
        *out = !a;
        return true;
    case NODE_MINUS:
        if (!fold(p, node->a, &a))
            return false;
        if (!__builtin_sub_overflow((int64_t)0, a, out))
            return true;
        break;
    case NODE_BINARY:
        if (!fold(p, node->a, &a) || !fold(p, node->b, &b))
            return false;
        if (fold_binary(node->op, a, b, out))
            return true;
        break;
    default:
        break;
    }
    parser_error(p, node->at, "'", parser_quote(p, &node->at),
                 "' is no integer constant");
    return false;
}

bool parse_constant(struct parser *p, int64_t *out)
{
    struct node *node = parse_expression(p);
    return node && fold(p, node, out);
}

/* ---- what can be said of a tree -------------------------------------- */

struct key {
    char text[LIMIT_KEY_BYTES];
    size_t len;
};

static bool key_add(struct key *key, const char *text)
{
    size_t len = strlen(text);
    if (key->len + len >= sizeof(key->text))
        return false;
    memcpy(key->text + key->len, text, len);
    key->len += len;
    return true;
}

static bool key_of(struct key *key, const struct node *node)
{
    char buf[21];
    switch (node->kind) {
    case NODE_NAME:
    case NODE_RETURN:
    case NODE_ERRNO:
        return key_add(key, node->text);
    case NODE_DEREF:
    case NODE_SLICE:
        return key_of(key, node->a);
    case NODE_MEMBER:
        return key_of(key, node->a) && key_add(key, "_") &&
               key_add(key, node->text);
    case NODE_INDEX:
        if (node->b->kind == NODE_NUMBER)
            return key_of(key, node->a) && key_add(key, "_") &&
                   key_add(key, parser_decimal((uint64_t)node->b->value, buf));
        return key_of(key, node->a);
    default:
        return false;
    }
}

const char *node_implied_key(struct parser *p, const struct node *node)
{
    struct key key = {.len = 0};
    return key_of(&key, node) ? parser_copy(p, key.text, key.len) : NULL;
}

const char *node_source(struct parser *p, const struct node *node)
{
    struct lexer lex = {.src = node->at.src,
                        .at = node->at.offset,
                        .line = node->at.line,
                        .line_start = node->at.offset};
    uint32_t end = node->at.offset + node->at.length, before = lex.at;
    char *text = parser_alloc(p, (size_t)node->at.length + 1, 1);
    size_t len = 0;
    if (!text)
        return NULL;
    while (lex.at < end) {
        struct token tok;
        lexer_next(&lex, &tok);
        if (tok.kind == TOKEN_END || tok.at.offset >= end)
            break;
        if (tok.at.offset > before)
            text[len++] = ' '; /* there was a blank or comment */
        memcpy(text + len, token_text(&tok), tok.at.length);
        len += tok.at.length;
        before = tok.at.offset + tok.at.length;
    }
    text[len] = '\0';
    return text;
}

static bool is_content(const struct node *node)
{
    return node->kind == NODE_DEREF || node->kind == NODE_INDEX ||
           node->kind == NODE_SLICE;
}

/* Do both name the same thing? An index is not looked at: a[i] is a[j]. */
static bool is_same_place(const struct node *a, const struct node *b)
{
    if (is_content(a) && is_content(b))
        return is_same_place(a->a, b->a);
    if (a->kind != b->kind)
        return false;
    if (a->kind == NODE_NAME)
        return strcmp(a->text, b->text) == 0;
    if (a->kind == NODE_RETURN)
        return true;
    if (a->kind != NODE_MEMBER || strcmp(a->text, b->text) != 0)
        return false;
    if (a->is_arrow == b->is_arrow)
        return is_same_place(a->a, b->a);
    const struct node *arrow = a->is_arrow ? a : b, *dot = a->is_arrow ? b : a;
    return is_content(dot->a) && is_same_place(arrow->a, dot->a->a);
}

/* Is `secret` a part of what `base` points to? */
static bool is_inside(const struct node *secret, const struct node *base)
{
    for (; secret; secret = secret->a) {
        bool reads = is_content(secret) ||
                     (secret->kind == NODE_MEMBER && secret->is_arrow);
        if (reads && is_same_place(secret->a, base))
            return true;
        if (secret->kind != NODE_MEMBER && !is_content(secret))
            return false;
    }
    return false;
}

/* Errs on the side of keeping silent: `secret(*p)` also hides `p`, of which
 * the text might be read. */
bool node_touches(const struct node *node, const struct node *secret)
{
    if (is_same_place(node, secret))
        return true;
    if (is_content(secret) && is_same_place(node, secret->a))
        return true;
    if (node->kind == NODE_SLICE && is_inside(secret, node->a))
        return true;
    return (node->a && node_touches(node->a, secret)) ||
           (node->b && node_touches(node->b, secret)) ||
           (node->c && node_touches(node->c, secret));
}

bool node_has(const struct node *node, enum node_kind kind)
{
    return node->kind == kind || (node->a && node_has(node->a, kind)) ||
           (node->b && node_has(node->b, kind)) ||
           (node->c && node_has(node->c, kind));
}
