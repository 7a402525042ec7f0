/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A declaration as tools print functions of C++, which is not how they are
 * declared: constructors, operators, instances of templates, and without the
 * type of the result. Which function it is and where its parameters are, the
 * debug information says. Without any, `this` is known of what only a class can
 * have, and of what has no class.
 */
#include "manifest/grammar/grammar.h"

#include <string.h>

enum {
    PASTED_BYTES = 16384
};

struct pasted {
    const char *text; /* from the first byte on */
    uint32_t start;   /* its offset in the source */
    size_t len;
    struct manifest_cxx_name at;
    bool has_result;
    struct mark begin; /* of the first byte */
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool has(const char *text, size_t len, const char *part)
{
    size_t n = strlen(part);
    for (size_t i = 0; i + n <= len; i++)
        if (memcmp(text + i, part, n) == 0)
            return true;
    return false;
}

static bool is_word_at(const char *text, size_t len, size_t at,
                       const char *word)
{
    size_t n = strlen(word);
    return len - at >= n && memcmp(text + at, word, n) == 0 &&
           (at == 0 || !lexer_is_name_byte(text[at - 1])) &&
           (at + n == len || !lexer_is_name_byte(text[at + n]));
}

static bool has_word(const char *text, size_t len, const char *word)
{
    for (size_t i = 0; i < len; i++)
        if (is_word_at(text, len, i, word))
            return true;
    return false;
}

/* To the token that begins at this offset, behind `from`. */
static void jump(struct parser *p, struct mark from, uint32_t offset)
{
    lexer_seek(&p->lex, &from, offset);
    p->tok.at.length = 0;
    parser_advance(p);
    p->tok_end = offset;
}

/* ---- types that are not C's ---------------------------------------------- */

static bool is_beyond_c(const char *text, size_t len)
{
    static const char *const parts[] = {"{",   "(anonymous", "::*", "decltype",
                                        ">::", "> ::",       "'",   "auto:"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (has(text, len, parts[i]))
            return true;
    return false;
}

/* A pointer to it, or it by value, of which nothing is known. */
static const struct manifest_type *make_unknown(struct parser *p,
                                                const char *text, size_t len)
{
    struct type *type = PARSER_NEW(p, struct type);
    while (len && is_blank(text[len - 1]))
        len--;
    bool is_pointer = len && (text[len - 1] == '*' || text[len - 1] == '&');
    if (!type)
        return NULL;
    type->t.kind = MANIFEST_OPAQUE;
    type->t.align_bytes = 1;
    type->t.name = len ? parser_copy(p, text, len) : NULL;
    return is_pointer ? type_pointer_to(p, &type->t) : &type->t;
}

bool pasted_param(struct parser *p, const struct manifest_type **out)
{
    const struct source *src = p->tok.at.src;
    const char *text = src->text + p->tok.at.offset;
    if (!p->in_pasted)
        return false;
    size_t len = src->len_bytes - p->tok.at.offset;
    len = manifest_cxx_param(text, len < PASTED_BYTES ? len : PASTED_BYTES);
    if (!is_beyond_c(text, len))
        return false;
    *out = make_unknown(p, text, len);
    jump(p, p->tok.at, p->tok.at.offset + (uint32_t)len);
    return true;
}

/* ---- is it one? ---------------------------------------------------------- */

/* Does a type or more stand before the name? */
static bool has_result(const struct pasted *d)
{
    static const char words[][10] = {"static",   "inline",    "virtual",
                                     "explicit", "constexpr", "extern"};
    for (size_t i = 0; i < d->at.name;) {
        size_t start = i;
        while (i < d->at.name && lexer_is_name_byte(d->text[i]))
            i++;
        bool is_known = i == start && is_blank(d->text[i]);
        for (size_t w = 0; i > start && w < sizeof words / sizeof *words; w++)
            is_known |= is_word_at(d->text, i, start, words[w]);
        if (!is_known)
            return true;
        i += i == start;
    }
    return false;
}

/* Has a name what no name of C has? */
static bool is_special(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (strchr("<~{[(", name[i]))
            return true;
    return has_word(name, len, "operator");
}

static bool find(struct parser *p, struct pasted *d)
{
    const struct source *src = p->tok.at.src;
    *d = (struct pasted){.text = src->text + p->tok.at.offset,
                         .start = p->tok.at.offset,
                         .begin = p->tok.at};
    d->len = src->len_bytes - d->start;
    d->len = d->len < PASTED_BYTES ? d->len : PASTED_BYTES;
    if (p->in_types || parser_is_word(p, "typedef") ||
        !manifest_cxx_name(d->text, d->len, &d->at))
        return false;
    size_t inside = d->at.params + 1, behind = d->at.behind;
    while (inside < d->len && is_blank(d->text[inside]))
        inside++;
    while (behind < d->len && is_blank(d->text[behind]))
        behind++;
    bool is_declarator = inside < d->len && strchr("*^&", d->text[inside]);
    d->has_result = has_result(d);
    if (is_declarator || (behind < d->len && d->text[behind] == '('))
        return false;
    struct token first = p->tok;
    bool is_type = !d->has_result && first.at.offset == d->start + d->at.name &&
                   parser_is_type_start(p);
    return is_special(d->text + d->at.name, d->at.params - d->at.name) ||
           (!d->has_result && !is_type);
}

/* ---- what is known without debug information ------------------------------
 */

/* "T::T", "T<int>::T": the last part is the one before. */
static bool is_constructor(const char *name)
{
    size_t len = strlen(name), last = len;
    while (last && lexer_is_name_byte(name[last - 1]))
        last--;
    size_t n = len - last, end = last >= 2 ? last - 2 : 0;
    if (!n || end == 0 || name[last - 1] != ':')
        return false;
    int depth = 0;
    while (end && (depth || name[end - 1] == '>')) {
        depth += (name[end - 1] == '>') - (name[end - 1] == '<');
        end--;
    }
    return end >= n && memcmp(name + end - n, name + last, n) == 0 &&
           (end == n || !lexer_is_name_byte(name[end - n - 1]));
}

static const char *last_part(const char *name)
{
    const char *last = name;
    int depth = 0;
    for (const char *at = name; *at; at++) {
        depth += strchr("<({", *at) != NULL;
        depth -= strchr(">)}", *at) != NULL;
        if (depth == 0 && at[0] == ':' && at[1] == ':')
            last = at + 2;
        if (depth == 0 && is_word_at(at, strlen(at), 0, "operator"))
            break; /* its symbols are no brackets */
    }
    return last;
}

static bool is_one_of(const char *text, const char *const *words)
{
    while (*words && strcmp(text, *words) != 0)
        words++;
    return *words != NULL;
}

static size_t suffix_bytes(const struct pasted *d)
{
    return manifest_cxx_qualifiers(d->text + d->at.behind,
                                   d->len - d->at.behind);
}

/* Does it have a `this`? */
static enum pasted_this find_this(const struct pasted *d, const char *name)
{
    static const char *const of_class[] = {"operator=", "operator->", NULL};
    static const char *const of_none[] = {"operator new",
                                          "operator new[]",
                                          "operator new []",
                                          "operator delete",
                                          "operator delete[]",
                                          "operator delete []",
                                          NULL};
    const char *last = last_part(name);
    if (is_one_of(last, of_none) || last == name)
        return THIS_NONE;
    if (*last == '~' || is_constructor(name) || d->at.conversion ||
        is_one_of(last, of_class) || suffix_bytes(d))
        return THIS_FIRST;
    return THIS_UNKNOWN;
}

/* ---- parsing --------------------------------------------------------------
 */

/* The type at this offset up to `end`. */
static const struct manifest_type *
type_until(struct parser *p, const struct pasted *d, size_t from, size_t to)
{
    struct specifiers spec;
    uint32_t end = d->start + (uint32_t)to;
    if (is_beyond_c(d->text + from, to - from))
        return make_unknown(p, d->text + from, to - from);
    jump(p, d->begin, d->start + (uint32_t)from);
    if (!parse_specifiers(p, true, &spec))
        return NULL;
    const struct manifest_type *type = parse_pointers(p, spec.type);
    if (type && p->tok.at.offset != end) {
        parser_unexpected(p, "the name of the function");
        return NULL;
    }
    return type;
}

/* NULL: nobody says, or p->failed. */
static const struct manifest_type *
find_result(struct parser *p, const struct pasted *d, const char *name)
{
    const char *last = last_part(name);
    if (d->at.conversion)
        return type_until(p, d, d->at.conversion, d->at.params);
    if (d->has_result)
        return type_until(p, d, 0, d->at.name);
    if (*last == '~' || is_constructor(name) ||
        is_word_at(last, strlen(last), 0, "operator delete"))
        return &type_void.t;
    if (is_word_at(last, strlen(last), 0, "operator new"))
        return &type_void_pointer.t;
    return NULL;
}

/* "ns::f(int) const" without the names of its parameters. */
static const char *readable_of(struct parser *p, const struct pasted *d,
                               const char *name, const struct type *function)
{
    size_t from = d->at.params, len = strlen(name);
    size_t end = d->at.behind + suffix_bytes(d);
    char *out = parser_alloc(p, len + (end - from) + 1, 1);
    if (!out)
        return NULL;
    memcpy(out, name, len);
    for (uint32_t i = 0; i < function->param_count; i++) {
        size_t to = function->names[i].offset - d->start;
        if (function->names[i].length == 0)
            continue;
        if (to < from || to + function->names[i].length > end) {
            /* brackets that close elsewhere than the parser has them */
            parser_error(p, function->names[i],
                         "the parameters of this function cannot be told from "
                         "what follows; are its brackets closed?");
            return NULL;
        }
        memcpy(out + len, d->text + from, to - from);
        len += to - from;
        from = to + function->names[i].length;
    }
    memcpy(out + len, d->text + from, end - from);
    out[len + end - from] = '\0';
    return out;
}

static const struct type *with_this(struct parser *p, const struct type *given,
                                    struct mark at)
{
    struct type *type = PARSER_NEW(p, struct type);
    uint32_t count = given->param_count + 1;
    struct manifest_param *params =
        parser_alloc_array(p, count, sizeof(struct manifest_param));
    struct mark *marks = parser_alloc_array(p, count, sizeof(struct mark));
    if (!type || !params || !marks)
        return NULL;
    *type = *given;
    params[0] =
        (struct manifest_param){.name = "self", .type = &type_void_pointer.t};
    marks[0] = at;
    for (uint32_t i = 0; i < given->param_count; i++) {
        params[i + 1] = given->params[i];
        marks[i + 1] = given->marks[i];
    }
    type->params = params;
    type->marks = marks;
    type->param_count = count;
    return type;
}

void pasted_assume(struct parser *p, struct declaration *d)
{
    static const char no_this[] =
        "without debug information it cannot be seen whether it has a `this`";
    static const char no_result[] =
        "without debug information it is not known what it returns, on which "
        "depends how the parameters are passed; write the type before its name";
    const struct type *type = type_of(d->type);
    if (type->param_count < LIMIT_PARAMS && d->this_kind == THIS_FIRST)
        type = with_this(p, type, d->at);
    if (!type)
        return;
    d->type = &type->t;
    d->doubt = d->this_kind == THIS_UNKNOWN ? no_this
               : d->has_no_result           ? no_result
                                            : NULL;
}

static bool parse(struct parser *p, const struct pasted *d,
                  struct declaration *out)
{
    size_t len = d->at.params - d->at.name;
    while (len && is_blank(d->text[d->at.name + len - 1]))
        len--;
    out->ident = parser_copy(p, d->text + d->at.name, len);
    if (!out->ident || len > LIMIT_NAME_BYTES) {
        parser_error(p, p->tok.at, "this name is too long");
        return false;
    }
    out->type_at = p->tok.at;
    const struct manifest_type *result = find_result(p, d, out->ident);
    if (p->failed)
        return false;
    out->has_no_result = !result;
    jump(p, d->begin, d->start + (uint32_t)d->at.name);
    out->at = p->tok.at;
    out->at.length = (uint32_t)len;
    jump(p, d->begin, d->start + (uint32_t)d->at.params);
    p->in_pasted = true;
    out->type =
        parse_function_suffix(p, result ? result : make_unknown(p, NULL, 0));
    p->in_pasted = false;
    if (!out->type)
        return false;
    out->this_kind = find_this(d, out->ident);
    out->readable = readable_of(p, d, out->ident, type_of(out->type));
    return out->readable != NULL;
}

/* No name of C, up to the semicolon: with parameters, it would be a name. */
bool pasted_bare(struct parser *p, struct declaration *out)
{
    char text[LIMIT_NAME_BYTES + 3];
    const struct mark begin = p->tok.at;
    const char *from = begin.src->text + begin.offset;
    const size_t most = begin.src->len_bytes - begin.offset;
    struct manifest_cxx_name at;
    size_t len = 0;
    while (len < most && len <= LIMIT_NAME_BYTES && from[len] != ';')
        len++;
    if (len == most || from[len] != ';')
        return false;
    uint32_t behind = begin.offset + (uint32_t)len;
    while (len && is_blank(from[len - 1]))
        len--;
    if (!len || !is_special(from, len))
        return false;
    memcpy(text, from, len);
    memcpy(text + len, "()", 2);
    if (!manifest_cxx_name(text, len + 2, &at) || at.name != 0 ||
        at.params != len)
        return false;
    out->ident = parser_copy(p, from, len);
    out->at = begin;
    out->at.length = (uint32_t)len;
    jump(p, begin, behind);
    return out->ident != NULL;
}

bool pasted_parse(struct parser *p, struct declaration *out, bool *failed)
{
    struct pasted d;
    *failed = false;
    if (!find(p, &d))
        return false;
    *failed = !parse(p, &d, out);
    return true;
}
