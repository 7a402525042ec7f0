/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The top level of a manifest: entries, types, statements (statements.c), and
 * what happens after an error: skip to the next `;` outside of braces and go
 * on.
 */
#include "manifest/grammar/borrow.h"
#include "manifest/read/read.h"

#include <errno.h>
#include <string.h>

/* ---- recovery -------------------------------------------------------- */

static bool at_line_start(const struct mark *at)
{
    return at->column == 1;
}

static bool opens_attributes(struct parser *p)
{
    struct token next = parser_peek(p, 1);
    return parser_is(p, '[') && next.kind == TOKEN_PUNCT && next.punct == '[';
}

/*
 * Behind the `;` that ends the broken part. A `[[` at the start of a line is
 * taken for the next one: a brace or bracket may be missing. *name becomes
 * what looks like the declared name, for the report.
 */
static void recover(struct parser *p, struct mark from, const char **name)
{
    int32_t braces = p->lex.braces;
    bool behind = false; /* of the attributes */
    while (p->tok.kind != TOKEN_END) {
        bool moved = p->tok.at.offset > from.offset;
        if (moved && at_line_start(&p->tok.at) && opens_attributes(p))
            break;
        if (parser_is(p, ';') && braces <= 0) {
            parser_advance(p);
            break;
        }
        behind |= parser_is(p, ']');
        struct token next = parser_peek(p, 1);
        if (behind && !*name && p->tok.kind == TOKEN_NAME &&
            next.kind == TOKEN_PUNCT &&
            (next.punct == '(' || next.punct == ';')) {
            *name = parser_name(p, "a name");
            if (*name)
                continue;
        }
        parser_advance(p);
        braces = p->lex.braces;
    }
    p->lex.braces = 0;
}

/* ---- declarations ---------------------------------------------------- */

/* `typedef int wide_t __attribute__((aligned(16)));` */
static const struct manifest_type *align_type(struct parser *p,
                                              const struct manifest_type *type,
                                              uint32_t align_bytes)
{
    if (!align_bytes || !type_is_complete(type))
        return type;
    struct type *copy = PARSER_NEW(p, struct type);
    if (!copy)
        return type;
    *copy = *type_of(type);
    copy->t.align_bytes = align_bytes;
    return &copy->t;
}

static bool add_typedef(struct parser *p, const struct attribute *attrs,
                        const struct declarator *d,
                        const struct specifiers *spec)
{
    const struct attribute *alias =
        p->in_types ? attribute_find(attrs, ATTR_SYMBOL) : NULL;
    const char *text = alias ? alias->text : d->name;
    if (!text) {
        parser_unexpected(p, "the name of the type");
        return false;
    }
    struct name *name = parser_find_name(p, NAME_TYPEDEF, text, strlen(text));
    if (p->host->compares && !p->in_types)
        borrow_want(p, MANIFEST_WANT_TYPE, text);
    if (name && name->is_borrowed && p->is_ahead)
        return true;
    if (name && name->is_borrowed && !p->in_types)
        borrow_compare_typedef(p, name, d);
    else if (name && (name->ctype->kind != d->type->kind ||
                      name->ctype->size_bytes != d->type->size_bytes)) {
        parser_error(p, d->at, "'", d->name, "' was another type before");
        return false;
    }
    if (!name)
        name = parser_add_name(p, NAME_TYPEDEF, text);
    if (!name)
        return false;
    name->ctype = align_type(p, d->type, p->suffix.align_bytes);
    name->is_borrowed = p->in_types;
    name->at = d->at;
    if (attrs && !p->in_types) {
        struct declaration rules = {.attrs = attrs,
                                    .type = d->type,
                                    .ident = d->name,
                                    .at = d->at,
                                    .type_at = spec->at};
        name->rules = declare_rules(p, &rules);
        return !p->failed;
    }
    return true;
}

/* A prototype alone: what a newcomer pastes first. */
static void note_plain(struct parser *p, const struct declarator *d)
{
    if (p->in_types || p->is_ahead || d->type->kind != MANIFEST_FUNCTION)
        return;
    if (p->plain_count++ == 0) {
        p->plain = d->name;
        p->plain_at = d->at;
    }
}

static bool parse_declarators(struct parser *p, const struct attribute *attrs,
                              const struct specifiers *spec, bool *declared)
{
    do {
        struct declarator d;
        if (!parse_declarator(p, spec->type, &d))
            return false;
        if (!d.name) {
            parser_unexpected(p, "a name");
            return false;
        }
        if (!parser_is(p, ',') && !parser_is(p, ';')) {
            parser_expect(p, ';', "behind the declaration");
            return false;
        }
        if (spec->is_typedef) {
            if (!add_typedef(p, attrs, &d, spec))
                return false;
        } else if (attrs) {
            struct declaration decl = {.attrs = attrs,
                                       .type = d.type,
                                       .ident = d.name,
                                       .at = d.at,
                                       .type_at = spec->at};
            if (p->in_types)
                borrow_keep(p, &decl);
            else
                declare(p, &decl);
            *declared = true;
        } else {
            note_plain(p, &d);
        }
    } while (parser_accept(p, ','));
    return true;
}

static bool parse_pasted(struct parser *p, struct declaration *d,
                         bool *declared)
{
    struct declarator plain = {.type = d->type, .name = d->ident, .at = d->at};
    if (!parser_is(p, ';'))
        return parser_expect(p, ';', "behind the declaration");
    if (d->attrs)
        declare(p, d);
    else
        note_plain(p, &plain);
    *declared |= d->attrs != NULL;
    parser_advance(p);
    return true;
}

static bool parse_c(struct parser *p, const struct attribute *attrs,
                    bool *declared)
{
    struct specifiers spec;
    struct declaration pasted = {.attrs = attrs};
    bool failed;
    if (pasted_parse(p, &pasted, &failed))
        return !failed && parse_pasted(p, &pasted, declared);
    if (!parse_specifiers(p, true, &spec))
        return false;
    if (parser_is(p, ';')) {
        if (attrs) {
            parser_error(p, spec.at, "attributes of a type alone say nothing");
            return false;
        }
        if (spec.is_typedef ||
            (!spec.defines && spec.type->kind != MANIFEST_OPAQUE &&
             spec.type->kind != MANIFEST_RECORD))
            parser_warn(p, spec.at, "this declares nothing");
    } else if (!parse_declarators(p, attrs, &spec, declared)) {
        return false;
    }
    return parser_expect(p, ';', "behind the declaration");
}

static bool parse_entry(struct parser *p, const struct attribute *attrs,
                        struct mark at, bool *declared)
{
    struct token next = parser_peek(p, 1);
    struct declaration d = {.attrs = attrs, .at = at, .type_at = at};
    bool is_name = p->tok.kind == TOKEN_NAME && next.kind == TOKEN_PUNCT &&
                   next.punct == ';';
    bool is_bare = attrs && !is_name && pasted_bare(p, &d);
    if (!attrs || (!is_name && !is_bare && !parser_is(p, ';')))
        return !p->fatal && parse_c(p, attrs, declared);
    if (is_name) {
        d.at = p->tok.at;
        d.ident = parser_name(p, "a name");
    }
    declare(p, &d);
    *declared = true;
    parser_advance(p);
    return !p->fatal;
}

static void declare_broken(struct parser *p, const struct attribute *attrs,
                           struct mark at, const char *name)
{
    struct declaration d = {.attrs = attrs, .at = at, .ident = name};
    p->failed = true;
    declare(p, &d);
}

static bool has_directive(const struct attribute *attrs)
{
    for (; attrs; attrs = attrs->next)
        if (attribute_is_directive(attrs->kind))
            return true;
    return false;
}

static void skip_line(struct parser *p)
{
    uint32_t line = p->tok.at.line;
    while (p->tok.kind != TOKEN_END && p->tok.at.line == line)
        parser_advance(p);
}

static void parse_top(struct parser *p)
{
    struct attribute *attrs = NULL;
    struct mark at = p->tok.at;
    const char *name = NULL;
    bool ok, declared = false;
    p->failed = false;
    p->depth = p->params_depth = 0;
    p->lex.braces = 0;
    if (parser_accept(p, ';'))
        return;
    if (parser_is(p, '#')) {
        parser_error(p, at,
                     "a manifest has no preprocessor; write "
                     "[[include(\"file\")]]; or paste the declaration");
        skip_line(p);
        return;
    }
    bool has_attrs = opens_attributes(p);
    ok = parse_attributes(p, &attrs);
    if (ok && has_attrs)
        at = mark_join(at, p->tok_end);
    if (ok && has_directive(attrs))
        ok = parse_statement(p, attrs);
    else if (ok)
        ok = parse_entry(p, attrs, at, &declared);
    if (ok || p->fatal)
        return;
    p->failed = true;
    recover(p, at, &name);
    bool is_entry = name || attribute_find(attrs, ATTR_MATCH) ||
                    attribute_find(attrs, ATTR_SYMBOL) ||
                    attribute_find(attrs, ATTR_AT);
    if (has_attrs && !declared && is_entry && !has_directive(attrs))
        declare_broken(p, attrs, at, name);
}

enum {
    AHEAD_ROUNDS = 4 /* a type that needs one below it that needs ... */
};

/* ---- types below their use --------------------------------------------- */

/* Is there a type behind the first declaration? */
static bool has_types_below(const struct source *src)
{
    bool is_behind = false;
    for (uint32_t i = 0; i + 1 < src->len_bytes; i++) {
        is_behind |= src->text[i] == '[' && src->text[i + 1] == '[';
        if (is_behind && src->text[i] == '{')
            return true;
    }
    return false;
}

/* True: something could not be read, perhaps for what stands below it. */
static bool read_types(struct parser *p, const struct source *src)
{
    bool has_failed = false;
    lexer_start(&p->lex, src);
    p->tok = (struct token){.at = {.src = src}};
    parser_advance(p);
    while (p->tok.kind != TOKEN_END) {
        struct mark at = p->tok.at;
        const char *name = NULL;
        bool declared = false;
        p->failed = false;
        p->depth = p->params_depth = 0;
        p->lex.braces = 0;
        bool is_type =
            parser_is_word(p, "struct") || parser_is_word(p, "union") ||
            parser_is_word(p, "enum") || parser_is_word(p, "class") ||
            parser_is_word(p, "typedef");
        bool ok = is_type && parse_c(p, NULL, &declared);
        has_failed |= is_type && !ok;
        if (parser_is(p, '#'))
            skip_line(p);
        else if (!ok)
            recover(p, at, &name);
    }
    return has_failed;
}

/* A type of this file counts wherever it stands: read them all, and nothing
 * else, before the file. What is wrong is told when its turn comes. */
static void read_ahead(struct parser *p, const struct source *src)
{
    if (p->in_types || !has_types_below(src))
        return;
    p->is_ahead = true;
    for (int round = 0; round < AHEAD_ROUNDS && read_types(p, src);)
        round++;
    p->is_ahead = p->failed = false;
}

void parse_source(struct parser *p, const struct source *src)
{
    struct lexer lex = p->lex;
    struct token tok = p->tok;
    struct scope scope = p->scope;
    uint32_t tok_end = p->tok_end;
    bool failed = p->failed;
    if (src->parent) {
        p->include_depth++;
        p->scope.is_object_given = p->scope.object != &statement_any_object;
    }
    read_ahead(p, src);
    lexer_start(&p->lex, src);
    p->tok = (struct token){.at = {.src = src}};
    parser_advance(p);
    while (p->tok.kind != TOKEN_END)
        parse_top(p);
    if (!src->parent || p->fatal)
        return;
    p->include_depth--;
    p->lex = lex;
    p->tok = tok;
    p->tok_end = tok_end;
    p->failed = failed;
    p->scope = scope;
}

/* Types of the debug information: before the manifest itself. */
static void read_borrowed(struct parser *p)
{
    const struct manifest_types *types = p->host->types;
    struct scope scope = p->scope;
    struct source *src;
    if (!types || !types->len_bytes || types->len_bytes > LIMIT_FILE_BYTES ||
        !(src = PARSER_NEW(p, struct source)))
        return;
    *src = (struct source){.file = types->file,
                           .text = types->text,
                           .len_bytes = (uint32_t)types->len_bytes};
    p->in_types = true;
    parse_source(p, src);
    p->in_types = p->failed = false;
    p->scope = scope;
}

/* ---- the result ------------------------------------------------------ */

/* Functions are declared, and nothing would be recorded of any. */
static void check_handlers(struct parser *p)
{
    char buf[20];
    for (const struct decl_node *i = p->decls; i; i = i->next)
        if ((i->decl.roles & MANIFEST_BOUND) || i->decl.disabled)
            return;
    if (p->plain_count == 1)
        parser_warn(p, p->plain_at, "'", p->plain,
                    "' is declared but no handler: put [[span]] before it");
    else if (p->plain_count)
        parser_warn(p, p->plain_at, "'", p->plain, "' and ",
                    parser_decimal(p->plain_count - 1, buf),
                    " more are declared but no handlers: put [[span]] before "
                    "those that are to be recorded");
}

static void finish(struct parser *p)
{
    struct manifest_decl *decls =
        parser_alloc_array(p, p->out->decl_count, sizeof(struct manifest_decl));
    struct manifest_program *programs = parser_alloc_array(
        p, p->out->program_count, sizeof(struct manifest_program));
    if (!decls || !programs)
        return;
    p->out->decls = decls;
    p->out->programs = programs;
    for (struct decl_node *i = p->decls; i; i = i->next)
        *decls++ = i->decl;
    for (struct program_node *i = p->programs; i; i = i->next)
        *programs++ = i->program;
}

int manifest_parse(const char *file, const char *text, size_t len_bytes,
                   const struct manifest_host *host,
                   struct manifest_arena *arena, const struct manifest **out)
{
    static const struct manifest_host nobody;
    struct parser boot = {.arena = arena};
    struct source *src = PARSER_NEW(&boot, struct source);
    struct parser *p = PARSER_NEW(&boot, struct parser);
    if (len_bytes > LIMIT_FILE_BYTES)
        return -E2BIG;
    if (!src || !p)
        return -ENOMEM;
    *src = (struct source){
        .file = file, .text = text, .len_bytes = (uint32_t)len_bytes};
    p->arena = arena;
    p->host = host ? host : &nobody;
    p->decls_end = &p->decls;
    p->programs_end = &p->programs;
    p->scope = (struct scope){
        .object = &statement_any_object,
        .settings = {.capture = MANIFEST_CAPTURE_NAMED, .cap_bytes = 50000}};
    p->out = PARSER_NEW(p, struct manifest);
    if (!p->out)
        return -ENOMEM;
    read_borrowed(p);
    parse_source(p, src);
    if (!p->fatal)
        check_handlers(p);
    if (!p->fatal)
        finish(p);
    if (p->fatal)
        return p->fatal;
    *out = p->out;
    return 0;
}
