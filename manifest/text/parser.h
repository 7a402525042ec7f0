/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a parse and what the text is read into; nothing outside
 * manifest/ includes it. What the tokens make: manifest/grammar/grammar.h.
 *
 * Conventions. A function that parses returns NULL or false when it failed;
 * it has then reported why, or p->fatal is set (the arena is full, a limit
 * was passed) and the parse is over. After p->fatal the current token is
 * TOKEN_END for ever, so every loop that consumes tokens ends by itself.
 */
#pragma once
#include "manifest/run/code.h"
#include "manifest/text/lexer.h"

enum {
    LIMIT_FILE_BYTES = 16 << 20,
    LIMIT_INCLUDE_DEPTH = 16,
    LIMIT_INCLUDES = 256,
    LIMIT_DECLS = 65536,
    LIMIT_NESTING = 64, /* parentheses, records in records, ... */
    LIMIT_PARAMS = 127,
    LIMIT_MEMBERS = 4096,
    LIMIT_CONSTANTS = 65536,
    LIMIT_ITEMS = 256,    /* of a declaration, and its attributes */
    LIMIT_MESSAGES = 200, /* errors and warnings shown; all are counted */
    LIMIT_NAME_BYTES = 1023,
    LIMIT_EXPR_OPS = 256,
    NAME_BUCKETS = 1024,
};

/* ---- types: a manifest_type with what only the parser needs ---------- */

struct type {
    struct manifest_type t; /* first: a manifest_type * casts to it */
    uint32_t depth;         /* records and arrays inside of each other */
    bool is_tag;            /* t.name is a tag, not a typedef */
    bool is_defining;       /* between { and } */
    bool is_packed;
    bool is_unplaced; /* RECORD: with bytes that no type of ours stands for, so
                         how it is passed is not known */
    const struct type *compiled; /* RECORD: what the debug information has in
                                    place of this one, for who compares */
    bool is_borrowed;            /* of the debug information */
    enum container container;    /* RECORD: of libstdc++ */
    bool is_variadic;            /* FUNCTION */
    const struct manifest_param *params; /* FUNCTION */
    const struct mark *marks; /* of the parameters' types; borrowed RECORD: of
                                 the members */
    const struct mark *names; /* of the parameters; of length 0: none */
    uint32_t param_count;
};

static inline const struct type *type_of(const struct manifest_type *t)
{
    return (const struct type *)(const void *)t;
}

/* ---- names ----------------------------------------------------------- */

enum name_kind {
    NAME_TYPEDEF,
    NAME_TAG,
    NAME_CONSTANT,
    NAME_PROTOTYPE, /* of the debug information, by the wanted name */
};
struct name {
    struct name *next;
    enum name_kind kind;
    const char *text;
    uint32_t hash;
    struct type *type;                 /* TAG: may be completed later */
    const struct manifest_type *ctype; /* TYPEDEF; CONSTANT: NULL: an int, or a
                                          long if it needs one */
    int64_t value;                     /* CONSTANT */
    const struct manifest_decl *rules; /* TYPEDEF with attributes */
    bool is_borrowed;                  /* of the debug information */
    struct mark at;                    /* there */
    /* PROTOTYPE: each may be NULL */
    const char *symbol;
    const char *where, *args; /* see manifest.h, struct manifest_types */
    struct name *more;        /* of another function that was wanted by it */
};

/* ---- expressions ----------------------------------------------------- */

enum node_kind {
    NODE_NUMBER, /* value, type */
    NODE_NAME,   /* text: parameter, enum or errno name */
    NODE_RETURN,
    NODE_ERRNO,
    NODE_EXIT,
    NODE_LONGJMP,
    NODE_DEREF,  /* a */
    NODE_INDEX,  /* a[b] */
    NODE_SLICE,  /* a[b:c] */
    NODE_MEMBER, /* a.text or a->text (is_arrow) */
    NODE_NOT,
    NODE_MINUS,
    NODE_BINARY, /* op: the punctuator */
};
struct node {
    enum node_kind kind;
    uint32_t op;
    bool is_arrow;
    int64_t value;
    const char *text;
    const struct manifest_type *type;
    struct node *a, *b, *c;
    struct mark at; /* the whole expression */
};

/* ---- attributes, as parsed ------------------------------------------- */

enum attribute_kind {
    ATTR_SPAN,
    ATTR_ROOT,
    ATTR_EVENT,
    ATTR_MATCH,
    ATTR_SYMBOL,
    ATTR_AT,
    ATTR_FILE,
    ATTR_INPUT,
    ATTR_OUTPUT,
    ATTR_ATTR,
    ATTR_SECRET,
    ATTR_FAILS,
    ATTR_BENIGN,
    ATTR_SLOW,
    ATTR_OVERDUE,
    ATTR_CAPTURE,
    ATTR_CAP,
    ATTR_LOCALS,
    ATTR_REWRITE,
    ATTR_ARGS,
    ATTR_CARRY,
    ATTR_ADOPT,
    ATTR_FORGET,
    ATTR_LINK,
    ATTR_BEGIN,
    ATTR_END,
    ATTR_CALLBACK,
    ATTR_PROGRAM,
    ATTR_OBJECT,
    ATTR_INCLUDE,
    ATTR_DEFAULTS,
    ATTR_COUNT,
};
struct argument { /* one expression of an attribute */
    struct argument *next;
    const char *key; /* `key =`, or NULL */
    struct mark key_at;
    struct node *node;
};
struct attribute {
    struct attribute *next;
    enum attribute_kind kind;
    struct mark at;   /* its name */
    const char *text; /* its string */
    struct mark text_at;
    uint64_t number; /* INTEGER, or a time in ns */
    struct argument *args;
    const char *ident; /* callback(expr, IDENT) */
    struct mark ident_at;
    const char *build_id; /* object */
    bool is_main;         /* object(main) */
    bool has_many, has_stop;
    struct attribute *settings; /* defaults */
};

/* ---- the parser ------------------------------------------------------ */

/* What matters of __attribute__((...)). */
struct gnu_attributes {
    bool is_packed;
    bool is_unplaced;      /* of the debug information alone */
    uint32_t align_bytes;  /* 0: not said */
    uint32_t vector_bytes; /* vector_size; 0: none */
};
struct decl_node {
    struct decl_node *next;
    struct manifest_decl decl;
};
struct program_node {
    struct program_node *next;
    struct manifest_program program;
};
/* "from here on" */
struct scope {
    const struct manifest_object *object;
    bool is_object_given;          /* by the including file, and that wins */
    struct program_node *programs; /* newest first */
    uint32_t program_count;
    bool programs_used; /* a declaration saw them: the next one replaces */
    const struct manifest_program *flat; /* as an array; NULL: not made yet */
    struct manifest_settings settings;
};

struct parser {
    struct manifest_arena *arena;
    const struct manifest_host *host;
    struct lexer lex; /* behind tok */
    struct token tok;
    uint32_t tok_end;             /* offset behind the token before tok */
    int fatal;                    /* 0, -ENOMEM, -E2BIG */
    uint32_t depth;               /* of nesting, against LIMIT_NESTING */
    uint32_t params_depth;        /* inside of so many parameter lists */
    uint32_t nodes;               /* of the expression being read */
    struct gnu_attributes suffix; /* behind the declarator just read */
    uint32_t include_depth, include_count;
    bool failed;    /* an error since it was last cleared */
    bool in_types;  /* this is not the manifest, but host->types */
    bool in_pasted; /* among the parameters of what cxx_pasted.c reads */
    bool is_ahead;  /* only to know types that stand below their use */
    uint32_t messages;
    uint64_t not_yet; /* bits of enum attribute_kind already told */
    struct scope scope;
    struct manifest *out;
    struct decl_node *decls, **decls_end;
    struct program_node *programs, **programs_end;
    struct mark plain_at; /* the first function without attributes, */
    const char *plain;    /* NULL: there is none */
    uint32_t plain_count;
    struct name *names[NAME_BUCKETS];
};

/* memory.c. NULL: p->fatal is set. Zeroed. */
void *parser_alloc(struct parser *p, size_t size, size_t align);
void *parser_alloc_array(struct parser *p, size_t count, size_t size);
const char *parser_copy(struct parser *p, const char *text, size_t len);
#define PARSER_NEW(p, type) ((type *)parser_alloc((p), sizeof(type), 8))
struct name *parser_find_name(struct parser *p, enum name_kind kind,
                              const char *text, size_t len);
struct name *parser_add_name(struct parser *p, enum name_kind kind,
                             const char *text);
void parser_stop(struct parser *p, int error);

/* diagnostics.c. The message is the concatenation of strings up to NULL. */
void parser_report(struct parser *p, enum manifest_severity severity,
                   struct mark at, ...) __attribute__((sentinel));
#define parser_error(p, at, ...)                                               \
    parser_report((p), MANIFEST_ERROR, (at), __VA_ARGS__, NULL)
#define parser_warn(p, at, ...)                                                \
    parser_report((p), MANIFEST_WARNING, (at), __VA_ARGS__, NULL)
struct manifest_position parser_position(const struct mark *at);
/* Decimal digits into buf (at least 21 bytes); returns buf. */
const char *parser_decimal(uint64_t n, char *buf);
/* The bytes of a mark as a string in the arena, clipped; never NULL. */
const char *parser_quote(struct parser *p, const struct mark *at);
/* The nearest of several names, for "did you mean". */
struct nearest {
    const char *wanted;
    size_t len;
    const char *best;
    uint32_t distance;
};
void nearest_start(struct nearest *n, const char *wanted);
void nearest_try(struct nearest *n, const char *name);

/* tokens.c */
void parser_advance(struct parser *p);
/* The token after the current one (ahead 1) or later ones. */
struct token parser_peek(const struct parser *p, uint32_t ahead);
bool parser_is(const struct parser *p, uint32_t punct);
bool parser_is_word(const struct parser *p, const char *word);
bool parser_accept(struct parser *p, uint32_t punct);
bool parser_accept_word(struct parser *p, const char *word);
bool parser_expect(struct parser *p, uint32_t punct, const char *where);
void parser_unexpected(struct parser *p, const char *wanted);
/* Skip from an opening to behind its closing bracket. */
bool parser_skip_brackets(struct parser *p);
const char *parser_name(struct parser *p, const char *what);
const char *parser_string(struct parser *p, const char *what);
bool parser_enter(struct parser *p); /* nesting; false: reported */
void parser_leave(struct parser *p);
struct mark mark_join(struct mark first, uint32_t end_offset);
