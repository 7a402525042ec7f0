/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hand-written because the manifest is read before main() of somebody else's
 * program, where nothing may allocate or use the locale. Works on any bytes,
 * in time proportional to their number.
 */
#include "manifest/text/lexer.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '$';
}

static bool is_name_part(char c)
{
    return is_name_start(c) || is_digit(c);
}

static char byte_at(const struct lexer *lex, uint32_t ahead)
{
    uint64_t at = (uint64_t)lex->at + ahead;
    return at < lex->src->len_bytes ? lex->src->text[at] : '\0';
}

static bool at_end(const struct lexer *lex)
{
    return lex->at >= lex->src->len_bytes;
}

void lexer_start(struct lexer *lex, const struct source *src)
{
    *lex = (struct lexer){.src = src, .line = 1};
    if (src->len_bytes >= 3 && memcmp(src->text, "\xef\xbb\xbf", 3) == 0)
        lex->at = lex->line_start = 3;
}

static void step(struct lexer *lex)
{
    if (byte_at(lex, 0) == '\n') {
        lex->line++;
        lex->line_start = lex->at + 1;
    }
    lex->at++;
}

void lexer_seek(struct lexer *lex, const struct mark *from, uint32_t offset)
{
    lex->at = from->offset;
    lex->line = from->line;
    lex->line_start = from->offset - (from->column - 1);
    while (lex->at < offset)
        step(lex);
}

/* Blanks and comments. False: a comment that does not end. */
static bool skip_blank(struct lexer *lex)
{
    while (!at_end(lex)) {
        char c = byte_at(lex, 0);
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            step(lex);
        } else if (c == '/' && byte_at(lex, 1) == '/') {
            while (!at_end(lex) && byte_at(lex, 0) != '\n')
                step(lex);
        } else if (c == '/' && byte_at(lex, 1) == '*') {
            struct lexer open = *lex;
            lex->at += 2;
            while (!at_end(lex) &&
                   !(byte_at(lex, 0) == '*' && byte_at(lex, 1) == '/'))
                step(lex);
            if (at_end(lex)) {
                *lex = open;
                return false;
            }
            lex->at += 2;
        } else {
            break;
        }
    }
    return true;
}

static void bad(struct token *out, const char *problem)
{
    out->kind = TOKEN_BAD;
    out->problem = problem;
}

bool lexer_is_name_byte(char c)
{
    return is_name_part(c);
}

static void lex_name(struct lexer *lex, struct token *out)
{
    out->kind = TOKEN_NAME;
    for (;;) {
        while (is_name_part(byte_at(lex, 0)))
            lex->at++;
        /* A C++ qualified name is one token: nothing else has "::". */
        bool tilde = byte_at(lex, 2) == '~';
        if (byte_at(lex, 0) != ':' || byte_at(lex, 1) != ':' ||
            !is_name_start(byte_at(lex, tilde ? 3 : 2)))
            return;
        lex->at += tilde ? 3 : 2;
    }
}

static int digit_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

static void lex_suffix(struct lexer *lex, struct token *out, bool decimal)
{
    for (;; lex->at++) {
        char c = byte_at(lex, 0);
        if (c == 'u' || c == 'U')
            out->is_unsigned = true;
        else if (c == 'l' || c == 'L')
            out->is_long = true;
        else
            break;
    }
    uint64_t limit = out->is_unsigned ? UINT32_MAX : INT32_MAX;
    if (!out->is_long && out->value > limit) {
        if (!decimal && out->value <= UINT32_MAX)
            out->is_unsigned = true;
        else
            out->is_long = true;
    }
    if (out->value > INT64_MAX)
        out->is_unsigned = true;
}

static void lex_number(struct lexer *lex, struct token *out)
{
    int base = 10;
    uint32_t digits = 0;
    bool overflow = false;
    out->kind = TOKEN_INTEGER;
    if (byte_at(lex, 0) == '0') {
        char x = (char)(byte_at(lex, 1) | 0x20);
        base = x == 'x' ? 16 : x == 'b' ? 2 : 8;
        lex->at += base == 8 ? 0 : 2;
    }
    for (; digit_value(byte_at(lex, 0)) < base; lex->at++, digits++) {
        uint64_t d = (uint64_t)digit_value(byte_at(lex, 0));
        overflow |=
            __builtin_mul_overflow(out->value, (uint64_t)base, &out->value);
        overflow |= __builtin_add_overflow(out->value, d, &out->value);
    }
    char next = byte_at(lex, 0);
    if (next == '.' || (base <= 10 && (next | 0x20) == 'e')) {
        out->kind = TOKEN_FLOAT;
        while (is_name_part(byte_at(lex, 0)) || byte_at(lex, 0) == '.')
            lex->at++;
        return;
    }
    lex_suffix(lex, out, base == 10);
    if (is_name_part(byte_at(lex, 0)) || digits == 0) {
        while (is_name_part(byte_at(lex, 0)))
            lex->at++;
        bad(out, "this is not a number");
    } else if (overflow) {
        bad(out, "this number does not fit in 64 bits");
    }
}

/* One character of a literal after a backslash; advances *at. */
static int unescape_one(const char *text, uint32_t end, uint32_t *at)
{
    static const char from[] = "ntrabfve\\\"'?",
                      to[] = "\n\t\r\a\b\f\v\033\\\"'?";
    char c = text[(*at)++];
    if (c == 'x') {
        int value = 0;
        while (*at < end && digit_value(text[*at]) < 16)
            value = (value * 16 + digit_value(text[(*at)++])) & 0xff;
        return value;
    }
    if (c >= '0' && c <= '7') {
        int value = c - '0';
        for (int i = 0; i < 2 && *at < end && digit_value(text[*at]) < 8; i++)
            value = value * 8 + digit_value(text[(*at)++]);
        return value & 0xff;
    }
    for (uint32_t i = 0; from[i]; i++)
        if (from[i] == c)
            return (unsigned char)to[i];
    return (unsigned char)c;
}

static void lex_quoted(struct lexer *lex, struct token *out, char quote)
{
    out->kind = quote == '"' ? TOKEN_STRING : TOKEN_CHAR;
    lex->at++;
    while (!at_end(lex) && byte_at(lex, 0) != quote &&
           byte_at(lex, 0) != '\n') {
        if (byte_at(lex, 0) == '\\' && byte_at(lex, 1) != '\n')
            lex->at++;
        lex->at++;
    }
    if (lex->at > lex->src->len_bytes)
        lex->at = lex->src->len_bytes;
    if (at_end(lex) || byte_at(lex, 0) != quote) {
        bad(out, quote == '"' ? "this string does not end on its line"
                              : "this character does not end on its line");
        return;
    }
    lex->at++;
    if (quote == '"')
        return;
    uint32_t at = out->at.offset + 1, end = lex->at - 1;
    const char *text = lex->src->text;
    if (at < end && text[at] == '\\') {
        at++;
        out->value =
            (uint64_t)(int64_t)(signed char)unescape_one(text, end, &at);
    } else if (at < end) {
        out->value = (uint64_t)(int64_t)(signed char)text[at++];
    }
    if (at != end || end == out->at.offset + 1)
        bad(out, "a character constant has one character");
}

static bool is_known(const char *set, char c)
{
    for (; *set; set++)
        if (*set == c)
            return true;
    return false;
}

static void lex_punct(struct lexer *lex, struct token *out)
{
    static const char two[][3] = {
        "->", "==", "!=", "<=", ">=", "&&", "||", "<<", ">>", "::"};
    char c = byte_at(lex, 0), d = byte_at(lex, 1);
    out->kind = TOKEN_PUNCT;
    if (c == '.' && d == '.' && byte_at(lex, 2) == '.') {
        out->punct = PUNCT3('.', '.', '.');
        lex->at += 3;
        return;
    }
    for (size_t i = 0; i < sizeof(two) / sizeof(two[0]); i++)
        if (two[i][0] == c && two[i][1] == d) {
            out->punct = PUNCT2(c, d);
            lex->at += 2;
            return;
        }
    out->punct = (unsigned char)c;
    lex->at++;
    if (c == '{')
        lex->braces++;
    else if (c == '}')
        lex->braces--;
    else if (c == '\0')
        bad(out, "a NUL byte: this is no text file");
    else if (!is_known("()[];,*&=<>!+-/%.:~^|?#@\\", c))
        bad(out, "a byte that C has no use for here: quotes of a word "
                 "processor, perhaps, or a letter with an accent; it may stand "
                 "in strings and comments only");
}

void lexer_next(struct lexer *lex, struct token *out)
{
    bool closed = skip_blank(lex);
    *out = (struct token){.kind = TOKEN_END};
    out->at = (struct mark){.src = lex->src,
                            .offset = lex->at,
                            .line = lex->line,
                            .column = lex->at - lex->line_start + 1};
    char c = byte_at(lex, 0);
    if (!closed) {
        lex->at = lex->src->len_bytes;
        bad(out, "this comment does not end");
        out->at.length = 2;
        return;
    }
    if (at_end(lex))
        return;
    if (is_name_start(c))
        lex_name(lex, out);
    else if (is_digit(c))
        lex_number(lex, out);
    else if (c == '"' || c == '\'')
        lex_quoted(lex, out, c);
    else
        lex_punct(lex, out);
    out->at.length = lex->at - out->at.offset;
}

const char *token_text(const struct token *tok)
{
    return tok->at.src->text + tok->at.offset;
}

bool token_is_word(const struct token *tok, const char *word)
{
    size_t len = strlen(word);
    return tok->kind == TOKEN_NAME && tok->at.length == len &&
           memcmp(token_text(tok), word, len) == 0;
}

int64_t token_unescape(const struct token *tok, char *dst)
{
    const char *text = tok->at.src->text;
    uint32_t at = tok->at.offset + 1;
    uint32_t end = tok->at.offset + tok->at.length - 1;
    int64_t n = 0;
    while (at < end) {
        int c = (unsigned char)text[at++];
        if (c == '\\' && at < end)
            c = unescape_one(text, end, &at);
        if (c == '\0')
            return -1;
        dst[n++] = (char)c;
    }
    return n;
}
