/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declaration specifiers: the part of a C declaration before the name. Pasted
 * prototypes bring macros, GNU attributes and types that the manifest does
 * not know; none of them is an error here. An unknown type becomes
 * MANIFEST_OPAQUE, which is fine behind a pointer.
 */
#include "manifest/grammar/grammar.h"

#include <string.h>

/* Words that say nothing about the layout. */
static const char ignored[][14] = {
    "static",        "extern",       "inline",    "__inline",
    "__inline__",    "register",     "const",     "__const",
    "volatile",      "__volatile__", "restrict",  "__restrict",
    "__restrict__",  "_Atomic",      "_Noreturn", "_Thread_local",
    "__extension__", "constexpr",    "virtual",   "__thread",
    "thread_local",  "typename",
};
static const struct {
    char name[12];
    uint32_t word;
} words[] = {
    {"void", WORD_VOID},         {"char", WORD_CHAR},
    {"short", WORD_SHORT},       {"int", WORD_INT},
    {"long", WORD_LONG},         {"float", WORD_FLOAT},
    {"double", WORD_DOUBLE},     {"signed", WORD_SIGNED},
    {"__signed__", WORD_SIGNED}, {"unsigned", WORD_UNSIGNED},
    {"_Bool", WORD_BOOL},        {"_Complex", WORD_COMPLEX},
    {"__int128", WORD_INT128},
};

static bool is_ignored(const struct token *tok)
{
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        if (token_is_word(tok, ignored[i]))
            return true;
    return false;
}

static uint32_t find_word(const struct token *tok)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (token_is_word(tok, words[i].name))
            return words[i].word;
    return 0;
}

static bool is_tag_word(const struct token *tok)
{
    return token_is_word(tok, "struct") || token_is_word(tok, "union") ||
           token_is_word(tok, "enum") || token_is_word(tok, "class");
}

static const struct manifest_type *find_type(struct parser *p,
                                             const struct token *tok)
{
    const char *text = token_text(tok);
    struct name *name = parser_find_name(p, NAME_TYPEDEF, text, tok->at.length);
    return name ? name->ctype : type_find_builtin(text, tok->at.length);
}

bool parser_is_type_start(struct parser *p)
{
    struct token *tok = &p->tok;
    return tok->kind == TOKEN_NAME && (is_ignored(tok) || find_word(tok) ||
                                       is_tag_word(tok) || find_type(p, tok));
}

/*
 * `SQLITE_API int f(...)`: an unknown name before another type is a macro of
 * the header that the prototype was pasted from.
 */
static bool is_macro(struct parser *p)
{
    struct token next = parser_peek(p, 1);
    if (next.kind != TOKEN_NAME)
        return false;
    if (is_ignored(&next) || find_word(&next) || is_tag_word(&next))
        return true;
    struct token after = parser_peek(p, 2);
    return after.kind == TOKEN_NAME ||
           (after.kind == TOKEN_PUNCT && after.punct == '*');
}

/* The arguments of std::vector<int>, up to behind the last >. */
static void skip_template(struct parser *p)
{
    uint32_t open = 0;
    if (!parser_is(p, '<'))
        return;
    do {
        if (parser_is(p, '<'))
            open++;
        else if (parser_is(p, '>'))
            open--;
        else if (parser_is(p, PUNCT2('>', '>')))
            open = open > 2 ? open - 2 : 0;
        else if (p->tok.kind == TOKEN_END || parser_is(p, ';'))
            return;
        parser_advance(p);
    } while (open);
}

/* "ns::pair<int,long>": without blanks but between words, which is how
 * tools/dwarf writes it. */
static const char *template_name(struct parser *p, const struct mark *at)
{
    uint32_t len = p->tok_end - at->offset, n = 0;
    char *text = parser_alloc(p, len + 1, 1);
    const char *from = at->src->text + at->offset;
    for (uint32_t i = 0; text && i < len; i++) {
        if (from[i] != ' ' && (from[i] < '\t' || from[i] > '\r'))
            text[n++] = from[i];
        else if (n && i + 1 < len && lexer_is_name_byte(text[n - 1]) &&
                 lexer_is_name_byte(from[i + 1]))
            text[n++] = ' ';
    }
    return text;
}

static const struct manifest_type *make_opaque(struct parser *p,
                                               const char *name)
{
    struct type *type = PARSER_NEW(p, struct type);
    if (!type || !name)
        return NULL;
    type->t.kind = MANIFEST_OPAQUE;
    type->t.align_bytes = 1;
    type->t.name = name;
    return &type->t;
}

/* std::vector<int>: its element is the first argument. NULL: no scalar, or
 * another template. */
static const struct manifest_type *parse_vector(struct parser *p)
{
    struct lexer lex = p->lex;
    struct token tok = p->tok;
    uint32_t tok_end = p->tok_end;
    struct specifiers spec;
    struct declarator d = {0};
    if (!parser_is_word(p, "std::vector") || !parser_enter(p))
        return NULL;
    parser_advance(p);
    bool ok = parser_accept(p, '<') && parser_is_type_start(p) &&
              parse_specifiers(p, false, &spec) &&
              (parser_is(p, '>') || parse_declarator(p, spec.type, &d)) &&
              parser_accept(p, '>');
    const struct manifest_type *to = !ok ? NULL : d.type ? d.type : spec.type;
    parser_leave(p);
    const struct manifest_type *made =
        to && to->kind >= MANIFEST_INT && to->kind <= MANIFEST_POINTER
            ? container_vector_of(p, to)
            : NULL;
    if (!made && !p->fatal) { /* read it as any other */
        p->lex = lex;
        p->tok = tok;
        p->tok_end = tok_end;
    }
    return made;
}

/* A name that is no type so far, or one with template arguments. */
static const struct manifest_type *parse_unknown(struct parser *p)
{
    struct mark at = p->tok.at;
    const struct manifest_type *vector = parse_vector(p);
    if (vector || p->fatal)
        return vector;
    const char *text = parser_name(p, "a type");
    if (!text || !parser_is(p, '<'))
        return make_opaque(p, text);
    skip_template(p);
    text = template_name(p, &at);
    struct name *name =
        text ? parser_find_name(p, NAME_TYPEDEF, text, strlen(text)) : NULL;
    return name ? name->ctype : make_opaque(p, text);
}

static bool parse_name(struct parser *p, bool at_top, struct specifiers *out)
{
    const struct manifest_type *type = find_type(p, &p->tok);
    if (type) {
        out->type = type;
        parser_advance(p);
        return true;
    }
    if (at_top && is_macro(p)) {
        parser_advance(p);
        return true;
    }
    out->type = parse_unknown(p);
    return out->type != NULL;
}

static bool add_word(struct parser *p, uint32_t *have, uint32_t word)
{
    bool twice = *have & word;
    if ((*have & (word * 3)) &&
        (word != WORD_LONG || !twice || (*have & (WORD_LONG * 2)))) {
        parser_error(p, p->tok.at, "'", parser_quote(p, &p->tok.at),
                     "' stands once too often");
        return false;
    }
    *have += word;
    parser_advance(p);
    return true;
}

static bool finish_words(struct parser *p, uint32_t have,
                         struct specifiers *out)
{
    if (have) {
        out->type = type_from_words(have);
        if (!out->type) {
            parser_error(p, mark_join(out->at, p->tok_end),
                         "these words make no type of C");
            return false;
        }
    }
    if (!out->type) {
        parser_unexpected(p, "a type");
        return false;
    }
    out->at = mark_join(out->at, p->tok_end);
    out->type = type_apply_vector(p, out->at, out->type, out->gnu.vector_bytes);
    return out->type != NULL;
}

bool parse_specifiers(struct parser *p, bool at_top, struct specifiers *out)
{
    uint32_t have = 0;
    *out = (struct specifiers){.at = p->tok.at};
    for (;;) {
        uint32_t word = find_word(&p->tok);
        bool has_type = have || out->type;
        if (p->tok.kind != TOKEN_NAME) {
            break;
        } else if (parser_is_word(p, "typedef")) {
            out->is_typedef = true;
            parser_advance(p);
        } else if (is_ignored(&p->tok)) {
            parser_advance(p);
        } else if (parse_gnu_attributes(p, &out->gnu)) {
            continue;
        } else if (p->failed && p->fatal) {
            return false;
        } else if (word && !out->type) {
            if (!add_word(p, &have, word))
                return false;
        } else if (has_type) {
            break;
        } else if (parser_is_word(p, "enum")) {
            if (!parse_enum(p, out))
                return false;
        } else if (is_tag_word(&p->tok)) {
            if (!parse_record(p, out))
                return false;
        } else if (parser_is_word(p, "typeof") ||
                   parser_is_word(p, "_Alignas") ||
                   parser_is_word(p, "alignas") || parser_is_word(p, "auto")) {
            parser_error(p, p->tok.at, "'", parser_quote(p, &p->tok.at),
                         "' is not understood here; write the plain type");
            return false;
        } else if (!parse_name(p, at_top, out)) {
            return false;
        }
    }
    return finish_words(p, have, out);
}

/* ---- __attribute__((...)) and what else follows a declarator --------- */

static bool parse_gnu_list(struct parser *p, struct gnu_attributes *out)
{
    struct mark at = p->tok.at;
    uint32_t open = 0;
    do {
        struct token next = parser_peek(p, 1);
        if (parser_is(p, '(')) {
            open++;
        } else if (parser_is(p, ')')) {
            open--;
        } else if (p->tok.kind == TOKEN_END || parser_is(p, ';')) {
            parser_error(p, at, "this bracket is not closed");
            return false;
        } else if (parser_is_word(p, "packed") ||
                   parser_is_word(p, "__packed__")) {
            out->is_packed = true;
        } else if (parser_is_word(p, "unplaced")) {
            out->is_unplaced = p->in_types;
        } else if (parser_is_word(p, "vector_size") ||
                   parser_is_word(p, "__vector_size__")) {
            struct token number = parser_peek(p, 2), end = parser_peek(p, 3);
            out->vector_bytes =
                number.kind == TOKEN_INTEGER && end.kind == TOKEN_PUNCT &&
                        end.punct == ')' && number.value < UINT32_MAX
                    ? (uint32_t)number.value
                    : UINT32_MAX;
        } else if (parser_is_word(p, "aligned") ||
                   parser_is_word(p, "__aligned__")) {
            struct token number = parser_peek(p, 2);
            uint64_t n = next.kind == TOKEN_PUNCT && next.punct == '('
                             ? number.value
                             : 16;
            if (n && n <= 1 << 20 && (n & (n - 1)) == 0)
                out->align_bytes = (uint32_t)n;
        }
        parser_advance(p);
    } while (open);
    return true;
}

bool parse_gnu_attributes(struct parser *p, struct gnu_attributes *out)
{
    bool any = false;
    for (;; any = true) {
        struct token next = parser_peek(p, 1);
        bool opens = next.kind == TOKEN_PUNCT && next.punct == '(';
        if (opens &&
            (parser_is_word(p, "__attribute__") ||
             parser_is_word(p, "__attribute") || parser_is_word(p, "__asm__") ||
             parser_is_word(p, "__asm") || parser_is_word(p, "asm") ||
             parser_is_word(p, "__nonnull") || parser_is_word(p, "noexcept") ||
             parser_is_word(p, "__declspec"))) {
            parser_advance(p);
            if (!parse_gnu_list(p, out))
                return any;
        } else if (parser_is_word(p, "noexcept") ||
                   parser_is_word(p, "__THROW") || parser_is_word(p, "__wur")) {
            parser_advance(p);
        } else {
            return any;
        }
    }
}
