/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser's view of the tokens: the current one, a look ahead, and the
 * usual accept and expect. After a fatal error there is only TOKEN_END.
 */
#include "manifest/text/parser.h"

#include <string.h>

void parser_advance(struct parser *p)
{
    p->tok_end = p->tok.at.offset + p->tok.at.length;
    if (p->fatal) {
        p->tok.kind = TOKEN_END;
        return;
    }
    lexer_next(&p->lex, &p->tok);
}

struct token parser_peek(const struct parser *p, uint32_t ahead)
{
    struct lexer lex = p->lex;
    struct token tok = p->tok;
    if (p->fatal)
        return tok;
    while (ahead--)
        lexer_next(&lex, &tok);
    return tok;
}

bool parser_is(const struct parser *p, uint32_t punct)
{
    return p->tok.kind == TOKEN_PUNCT && p->tok.punct == punct;
}

bool parser_is_word(const struct parser *p, const char *word)
{
    return token_is_word(&p->tok, word);
}

bool parser_accept(struct parser *p, uint32_t punct)
{
    if (!parser_is(p, punct))
        return false;
    parser_advance(p);
    return true;
}

bool parser_accept_word(struct parser *p, const char *word)
{
    if (!parser_is_word(p, word))
        return false;
    parser_advance(p);
    return true;
}

/* "expected X before 'y'", or what is wrong with the token itself. */
void parser_unexpected(struct parser *p, const char *wanted)
{
    struct mark at = p->tok.at;
    if (p->fatal)
        return;
    if (p->tok.kind == TOKEN_BAD)
        parser_error(p, at, p->tok.problem);
    else if (p->tok.kind == TOKEN_END)
        parser_error(p, at, "expected ", wanted, ", but the file ends here");
    else
        parser_error(p, at, "expected ", wanted, " before '",
                     parser_quote(p, &at), "'");
}

bool parser_expect(struct parser *p, uint32_t punct, const char *where)
{
    if (parser_accept(p, punct))
        return true;
    char text[] = {'\'', (char)(punct & 0xff), (char)(punct >> 8 & 0xff), '\'',
                   '\0'};
    if (text[2] == '\0') {
        text[2] = '\'';
        text[3] = '\0';
    }
    if (p->fatal || p->tok.kind == TOKEN_BAD) {
        parser_unexpected(p, text);
        return false;
    }
    struct mark at = p->tok.at;
    if (p->tok.kind == TOKEN_END)
        parser_error(p, at, "expected ", text, " ", where,
                     ", but the file ends here");
    else
        parser_error(p, at, "expected ", text, " ", where, " before '",
                     parser_quote(p, &at), "'");
    return false;
}

bool parser_skip_brackets(struct parser *p)
{
    uint32_t open = 0;
    struct mark at = p->tok.at;
    do {
        if (parser_is(p, '(') || parser_is(p, '[') || parser_is(p, '{')) {
            open++;
        } else if (parser_is(p, ')') || parser_is(p, ']') ||
                   parser_is(p, '}')) {
            open--;
        } else if (p->tok.kind == TOKEN_END || parser_is(p, ';') ||
                   p->tok.kind == TOKEN_BAD) {
            if (!p->fatal)
                parser_error(p, at, "this bracket is not closed");
            return false;
        }
        parser_advance(p);
    } while (open);
    return true;
}

const char *parser_name(struct parser *p, const char *what)
{
    if (p->tok.kind != TOKEN_NAME) {
        parser_unexpected(p, what);
        return NULL;
    }
    if (p->tok.at.length > LIMIT_NAME_BYTES) {
        parser_error(p, p->tok.at, "this name is too long");
        return NULL;
    }
    const char *name = parser_copy(p, token_text(&p->tok), p->tok.at.length);
    parser_advance(p);
    return name;
}

const char *parser_string(struct parser *p, const char *what)
{
    if (p->tok.kind != TOKEN_STRING) {
        parser_unexpected(p, what);
        return NULL;
    }
    if (p->tok.at.length > 4 * LIMIT_NAME_BYTES) {
        parser_error(p, p->tok.at, "this string is too long");
        return NULL;
    }
    char *text = parser_alloc(p, p->tok.at.length + 1, 1);
    if (!text)
        return NULL;
    int64_t len = token_unescape(&p->tok, text);
    if (len < 0) {
        parser_error(p, p->tok.at, "a NUL in a string");
        return NULL;
    }
    text[len] = '\0';
    parser_advance(p);
    return text;
}

bool parser_enter(struct parser *p)
{
    if (p->depth >= LIMIT_NESTING) {
        if (!p->fatal)
            parser_error(p, p->tok.at, "this is nested too deeply");
        return false;
    }
    p->depth++;
    return true;
}

void parser_leave(struct parser *p)
{
    p->depth--;
}

struct mark mark_join(struct mark first, uint32_t end_offset)
{
    if (end_offset > first.offset)
        first.length = end_offset - first.offset;
    return first;
}
