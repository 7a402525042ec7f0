/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes to tokens. Every byte string is accepted: what is no token becomes
 * TOKEN_BAD with a reason, so that the parser can say where. A lexer is a
 * plain value; copying it is how the parser looks ahead.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One file; the text belongs to the host and lives as long as the parse. */
struct source {
    const char *file;
    const char *text;
    uint32_t len_bytes;
    const struct source *parent; /* included from; NULL at the top */
};

/* A stretch of a source, for messages. line and column count from 1. */
struct mark {
    const struct source *src;
    uint32_t offset, length, line, column;
};

enum token_kind {
    TOKEN_END,
    TOKEN_NAME, /* also A::b::c as one */
    TOKEN_INTEGER,
    TOKEN_FLOAT,
    TOKEN_CHAR,
    TOKEN_STRING,
    TOKEN_PUNCT,
    TOKEN_BAD,
};

struct token {
    enum token_kind kind;
    struct mark at;
    uint64_t value;      /* INTEGER, CHAR */
    bool is_unsigned;    /* INTEGER: suffix u, or not decimal and too large */
    bool is_long;        /* INTEGER: does not fit 32 bits, or suffix l */
    uint32_t punct;      /* PUNCT: its bytes, the first in the low byte */
    const char *problem; /* BAD */
};

#define PUNCT2(a, b)    ((uint32_t)(a) | (uint32_t)(b) << 8)
#define PUNCT3(a, b, c) (PUNCT2(a, b) | (uint32_t)(c) << 16)

struct lexer {
    const struct source *src;
    uint32_t at;         /* next byte */
    uint32_t line;       /* of it, from 1 */
    uint32_t line_start; /* offset of its line */
    int32_t braces;      /* open { */
};

/* At the first byte of `src`, which must stay. */
void lexer_start(struct lexer *lex, const struct source *src);
/* To the byte at `offset`, at or behind `from`. */
void lexer_seek(struct lexer *lex, const struct mark *from, uint32_t offset);
/* At the end of the text it yields TOKEN_END for ever. */
void lexer_next(struct lexer *lex, struct token *out);

/* Can it stand in a name? */
bool lexer_is_name_byte(char c);
/* Compare the bytes of a token with a word. */
bool token_is_word(const struct token *tok, const char *word);
const char *token_text(const struct token *tok);

/*
 * The bytes of a string literal without quotes and escapes into dst (at least
 * tok->at.length bytes); returns their number. A NUL among them: -1.
 */
int64_t token_unescape(const struct token *tok, char *dst);
