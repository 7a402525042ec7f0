/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declarators: C's inside-out part. `int (*f(int a))(long)` is read by
 * skipping the inner parentheses, taking the suffixes behind them into the
 * base type, and then reading the inside with that base; each level is read
 * once and skipped once, and nesting is limited.
 */
#include "manifest/grammar/grammar.h"

#include <string.h>

static const struct manifest_type *make_array(struct parser *p, struct mark at,
                                              const struct manifest_type *to,
                                              uint64_t count)
{
    struct type *type = PARSER_NEW(p, struct type);
    if (!type)
        return NULL;
    if (to->kind == MANIFEST_FUNCTION) {
        parser_error(p, at, "an array of functions");
        return NULL;
    }
    bool nests = to->kind == MANIFEST_ARRAY || to->kind == MANIFEST_RECORD;
    type->depth = nests ? type_of(to)->depth + 1 : 1;
    type->t.kind = MANIFEST_ARRAY;
    type->t.to = to;
    type->t.count = count;
    type->t.align_bytes = to->align_bytes;
    if (__builtin_mul_overflow(count, to->size_bytes, &type->t.size_bytes) ||
        type->t.size_bytes > (uint64_t)1 << 40) {
        parser_error(p, at, "this array is too large");
        return NULL;
    }
    if (type->depth > LIMIT_NESTING) {
        parser_error(p, at, "this is nested too deeply");
        return NULL;
    }
    return &type->t;
}

/* `[n]`; in a parameter what is between the brackets may be anything. */
static bool parse_dimension(struct parser *p, bool is_param, uint64_t *count)
{
    struct mark at = p->tok.at;
    int64_t n = 0;
    struct token first = parser_peek(p, 1), second = parser_peek(p, 2);
    bool plain = first.kind == TOKEN_INTEGER && second.kind == TOKEN_PUNCT &&
                 second.punct == ']';
    *count = 0;
    if (is_param && !plain)
        return parser_skip_brackets(p);
    parser_advance(p);
    if (parser_accept(p, ']'))
        return true;
    if (!parse_constant(p, &n) || !parser_expect(p, ']', "behind the size"))
        return false;
    if (n < 0) {
        parser_error(p, mark_join(at, p->tok_end), "a negative size");
        return false;
    }
    *count = (uint64_t)n;
    return true;
}

/* A parameter of array or function type is a pointer, and so is, to the
 * machine, a class that has to be destroyed. */
static const struct manifest_type *decay(struct parser *p,
                                         const struct manifest_type *type)
{
    if (type->kind == MANIFEST_ARRAY)
        return type_pointer_to(p, type->to);
    if (container_is_indirect(type))
        return type_pointer_to(p, type);
    if (type->kind == MANIFEST_FUNCTION)
        return type_pointer_to(p, type);
    return type;
}

struct param_node {
    struct param_node *next;
    struct manifest_param param;
    struct mark at, name_at;
};

static bool parse_param(struct parser *p, struct param_node *node)
{
    struct manifest_param *out = &node->param;
    struct specifiers spec;
    struct declarator declarator;
    if (parser_is(p, '[') && !parser_skip_brackets(p))
        return false;
    node->at = p->tok.at;
    if (pasted_param(p, &out->type))
        return out->type != NULL;
    if (!parse_specifiers(p, false, &spec) ||
        !parse_declarator(p, spec.type, &declarator))
        return false;
    if (declarator.type->kind == MANIFEST_VOID) {
        parser_error(p, spec.at, "a parameter of type void");
        return false;
    }
    node->at = spec.at;
    node->name_at = declarator.at;
    out->name = declarator.name;
    out->type = decay(p, declarator.type);
    return out->type != NULL;
}

static bool param_is_duplicate(const struct param_node *list, const char *name)
{
    for (; name && list; list = list->next)
        if (list->param.name && strcmp(list->param.name, name) == 0)
            return true;
    return false;
}

/* Newest first. */
static bool collect_params(struct parser *p, struct type *function,
                           struct param_node **list)
{
    do {
        struct mark at = p->tok.at;
        if (parser_accept(p, PUNCT3('.', '.', '.'))) {
            function->is_variadic = true;
            break;
        }
        if (function->param_count == LIMIT_PARAMS) {
            parser_error(p, at, "more than 127 parameters");
            return false;
        }
        struct param_node *node = PARSER_NEW(p, struct param_node);
        if (!node || !parse_param(p, node))
            return false;
        if (param_is_duplicate(*list, node->param.name)) {
            parser_error(p, mark_join(at, p->tok_end), "two parameters '",
                         node->param.name, "'");
            return false;
        }
        node->next = *list;
        *list = node;
        function->param_count++;
    } while (parser_accept(p, ','));
    return true;
}

static bool parse_param_list(struct parser *p, struct type *function)
{
    struct param_node *list = NULL;
    p->params_depth++;
    bool ok = collect_params(p, function, &list);
    p->params_depth--;
    if (!ok)
        return false;
    uint32_t n = function->param_count;
    struct manifest_param *params =
        parser_alloc_array(p, n, sizeof(struct manifest_param));
    struct mark *marks = parser_alloc_array(p, n, sizeof(struct mark));
    struct mark *names = parser_alloc_array(p, n, sizeof(struct mark));
    if (!params || !marks || !names)
        return false;
    for (; n; list = list->next) {
        params[--n] = list->param;
        marks[n] = list->at;
        names[n] = list->name_at;
    }
    function->params = params;
    function->marks = marks;
    function->names = names;
    return true;
}

/* From `(`; the type is filled in by the caller. */
static struct type *parse_params(struct parser *p)
{
    struct type *function = PARSER_NEW(p, struct type);
    if (!function)
        return NULL;
    function->t.kind = MANIFEST_FUNCTION;
    function->t.align_bytes = 1;
    parser_advance(p);
    struct token next = parser_peek(p, 1);
    if (parser_is_word(p, "void") && next.kind == TOKEN_PUNCT &&
        next.punct == ')')
        parser_advance(p);
    if (!parser_is(p, ')') && !parse_param_list(p, function))
        return NULL;
    if (!parser_expect(p, ')', "behind the parameters"))
        return NULL;
    while (parser_is_word(p, "const") || parser_is_word(p, "volatile") ||
           parser_is_word(p, "override") || parser_is_word(p, "final") ||
           parser_is(p, '&') || parser_is(p, PUNCT2('&', '&')))
        parser_advance(p);
    return function;
}

static const struct manifest_type *
parse_suffix(struct parser *p, const struct manifest_type *of, bool is_param);

static const struct manifest_type *
parse_array(struct parser *p, const struct manifest_type *of, bool is_param)
{
    struct mark at = p->tok.at;
    uint64_t count;
    if (!parse_dimension(p, is_param, &count))
        return NULL;
    const struct manifest_type *element = parse_suffix(p, of, is_param);
    return element ? make_array(p, at, element, count) : NULL;
}

static const struct manifest_type *
parse_function(struct parser *p, const struct manifest_type *of, bool is_param)
{
    struct mark at = p->tok.at;
    struct type *function = parse_params(p);
    if (!function)
        return NULL;
    const struct manifest_type *result = parse_suffix(p, of, is_param);
    if (!result)
        return NULL;
    if (result->kind == MANIFEST_FUNCTION || result->kind == MANIFEST_ARRAY) {
        parser_error(p, at, "a function cannot return ",
                     type_describe(p, result));
        return NULL;
    }
    function->t.to = result;
    return &function->t;
}

const struct manifest_type *
parse_function_suffix(struct parser *p, const struct manifest_type *result)
{
    p->suffix = (struct gnu_attributes){0};
    return parse_suffix(p, result, false);
}

static const struct manifest_type *
parse_suffix(struct parser *p, const struct manifest_type *of, bool is_param)
{
    const struct manifest_type *type = of;
    struct token next = parser_peek(p, 1);
    bool is_attribute = next.kind == TOKEN_PUNCT && next.punct == '[';
    if (!parser_enter(p))
        return NULL;
    parse_gnu_attributes(p, &p->suffix);
    if (parser_is(p, '[') && !is_attribute)
        type = parse_array(p, of, is_param);
    else if (parser_is(p, '('))
        type = parse_function(p, of, is_param);
    parse_gnu_attributes(p, &p->suffix);
    parser_leave(p);
    return type;
}

/* "S::*": behind the token before it. */
static bool is_member_pointer(const struct parser *p, uint32_t ahead)
{
    struct token name = ahead ? parser_peek(p, ahead) : p->tok;
    struct token colons = parser_peek(p, ahead + 1);
    struct token star = parser_peek(p, ahead + 2);
    return name.kind == TOKEN_NAME && colons.kind == TOKEN_PUNCT &&
           colons.punct == PUNCT2(':', ':') && star.kind == TOKEN_PUNCT &&
           star.punct == '*';
}

/* Is this `(` around a declarator, or does it open parameters? */
static bool opens_declarator(struct parser *p)
{
    struct token next = parser_peek(p, 1);
    if (next.kind == TOKEN_PUNCT)
        return next.punct == '*' || next.punct == '(' || next.punct == '&' ||
               next.punct == '[';
    if (next.kind != TOKEN_NAME)
        return false;
    if (is_member_pointer(p, 1))
        return true;
    struct token here = p->tok;
    p->tok = next;
    bool is_type = parser_is_type_start(p);
    p->tok = here;
    return !is_type;
}

static bool parse_inner(struct parser *p, const struct manifest_type *base,
                        struct declarator *out)
{
    struct lexer lex = p->lex;
    struct token tok = p->tok;
    if (!parser_skip_brackets(p))
        return false;
    const struct manifest_type *type = parse_suffix(p, base, false);
    if (!type)
        return false;
    struct lexer lex_behind = p->lex;
    struct token tok_behind = p->tok;
    uint32_t end_behind = p->tok_end;
    p->lex = lex;
    p->tok = tok;
    parser_advance(p);
    if (!parse_declarator(p, type, out) ||
        !parser_expect(p, ')', "behind the declarator"))
        return false;
    p->lex = lex_behind;
    p->tok = tok_behind;
    p->tok_end = end_behind;
    return true;
}

const struct manifest_type *parse_pointers(struct parser *p,
                                           const struct manifest_type *base)
{
    static const char qualifiers[][14] = {
        "const",        "__const", "volatile", "restrict", "__restrict",
        "__restrict__", "_Atomic", "_Nonnull", "_Nullable"};
    while (base) {
        struct gnu_attributes gnu = {0};
        bool skipped = parse_gnu_attributes(p, &gnu);
        if (parser_is(p, '*') || parser_is(p, '&') ||
            parser_is(p, PUNCT2('&', '&'))) {
            parser_advance(p); /* a reference is passed as a pointer */
            base = type_pointer_to(p, base);
            continue;
        }
        if (is_member_pointer(p, 0)) {
            parser_advance(p);
            parser_advance(p);
            parser_advance(p);
            base = type_member_pointer(base->kind == MANIFEST_FUNCTION);
            continue;
        }
        for (size_t i = 0; i < sizeof(qualifiers) / sizeof(qualifiers[0]); i++)
            skipped |= parser_accept_word(p, qualifiers[i]);
        if (!skipped)
            break;
    }
    return base;
}

bool parse_declarator(struct parser *p, const struct manifest_type *base,
                      struct declarator *out)
{
    bool ok = false;
    *out = (struct declarator){.at = p->tok.at};
    p->suffix = (struct gnu_attributes){0};
    if (!parser_enter(p))
        return false;
    base = parse_pointers(p, base);
    out->at = p->tok.at;
    if (!base) {
        ok = false;
    } else if (parser_is(p, '(') && opens_declarator(p)) {
        ok = parse_inner(p, base, out);
    } else {
        bool is_param = p->params_depth > 0;
        if (p->tok.kind == TOKEN_NAME) {
            out->name = parser_name(p, "a name");
            if (!out->name)
                base = NULL;
        } else {
            out->at.length = 0;
        }
        out->type = base ? parse_suffix(p, base, is_param) : NULL;
        if (out->type)
            out->type = type_apply_vector(p, out->at, out->type,
                                          p->suffix.vector_bytes);
        p->suffix.vector_bytes = 0;
        ok = out->type != NULL;
    }
    parser_leave(p);
    return ok;
}
