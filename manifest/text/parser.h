/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the parser share; nothing outside manifest/ includes it.
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

extern const struct type type_void, type_int, type_uint, type_long, type_ulong,
    type_bool, type_char, type_ptrdiff, type_void_pointer;

/* A builtin name (`int32_t`, `size_t`, also `std::size_t`) or NULL. */
const struct manifest_type *type_find_builtin(const char *name, size_t len);
/* The vector of so many bytes, or NULL. */
const struct manifest_type *type_vector_of(uint64_t size_bytes);
/* The n-th builtin name for suggestions, NULL past the end. */
const char *type_builtin_name(size_t n);

/* containers.c: std::string and its like, or NULL. */
const struct manifest_type *container_find(const char *name, size_t len);
struct parser;
const struct manifest_type *container_vector_of(struct parser *p,
                                                const struct manifest_type *to);
/* Passed by a pointer to a copy, as classes with a destructor are? */
bool container_is_indirect(const struct manifest_type *type);

enum base_word { /* multiset of the words of a declaration specifier */
    WORD_VOID = 1,
    WORD_CHAR = 1 << 2,
    WORD_SHORT = 1 << 4,
    WORD_INT = 1 << 6,
    WORD_LONG = 1 << 8, /* two of them fit below the next */
    WORD_FLOAT = 1 << 10,
    WORD_DOUBLE = 1 << 12,
    WORD_SIGNED = 1 << 14,
    WORD_UNSIGNED = 1 << 16,
    WORD_BOOL = 1 << 18,
    WORD_COMPLEX = 1 << 20,
    WORD_INT128 = 1 << 22,
};
/* The type of a multiset of words, NULL if they make none. */
const struct manifest_type *type_from_words(uint32_t words);

/* Record layout, psABI 3.1.2 and the bit-field rules of 3.1.2. */
struct layout {
    uint64_t bit;        /* next free bit */
    uint64_t size_bytes; /* of a union, so far */
    uint32_t align_bytes;
    bool is_union, is_packed;
    bool overflow; /* larger than 2^40 bytes */
};
/* Place a member: offset_bytes, bit_offset are set. `is_named`: an unnamed
 * bit field does not align the record. */
void layout_add(struct layout *layout, struct manifest_member *member,
                uint32_t align_bytes, bool is_bit_field, bool is_named);
uint64_t layout_finish(struct layout *layout);

/* psABI 3.2.3: fills in every place. */
void place_function(const struct manifest_type *result,
                    struct manifest_place *result_place,
                    struct manifest_param *params, uint32_t param_count);

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

/* declarator.c, specifiers.c */
struct declarator {
    const struct manifest_type *type;
    const char *name; /* NULL: none */
    struct mark at;   /* the name, or where it would be */
};
struct specifiers {
    const struct manifest_type *type;
    struct mark at;
    bool is_typedef, defines;  /* defines: struct, union or enum, {...} */
    struct gnu_attributes gnu; /* among them */
};
bool parse_specifiers(struct parser *p, bool at_top, struct specifiers *out);
bool parse_declarator(struct parser *p, const struct manifest_type *base,
                      struct declarator *out);
/* `* const &` behind a type. NULL: the arena is full. */
const struct manifest_type *parse_pointers(struct parser *p,
                                           const struct manifest_type *base);
/* From the `(` of its parameters on. NULL: reported. */
const struct manifest_type *
parse_function_suffix(struct parser *p, const struct manifest_type *result);
/* Does the current token begin a type? An unknown name does not. */
bool parser_is_type_start(struct parser *p);
/* __attribute__((...)), asm("..."), noexcept: true if any was skipped. */
bool parse_gnu_attributes(struct parser *p, struct gnu_attributes *out);
/* An integer constant expression of numbers and enum names. */
bool parse_constant(struct parser *p, int64_t *out);
bool parse_record(struct parser *p, struct specifiers *out); /* records.c */
bool parse_enum(struct parser *p, struct specifiers *out);
/* "struct job", "int", "a pointer": for messages; in the arena. */
const char *type_describe(struct parser *p, const struct manifest_type *t);
const struct manifest_type *type_pointer_to(struct parser *p,
                                            const struct manifest_type *to);
/* `double v2d __attribute__((vector_size(16)))`; without one: `type`. NULL:
 * reported. */
const struct manifest_type *type_apply_vector(struct parser *p, struct mark at,
                                              const struct manifest_type *type,
                                              uint32_t vector_bytes);
/* Is a value of it passed or kept without knowing more? */
bool type_is_complete(const struct manifest_type *t);

/* expression.c */
struct node *parse_expression(struct parser *p);
/* "job_id" of job->id; NULL if nothing is implied. */
const char *node_implied_key(struct parser *p, const struct node *node);
/* As it was written, blanks squeezed and comments dropped. */
const char *node_source(struct parser *p, const struct node *node);
/* Does `node` read `secret`, or memory that covers it? */
bool node_touches(const struct node *node, const struct node *secret);
bool node_has(const struct node *node, enum node_kind kind);

/* compile.c: names and types; the code for eval.c */
enum expr_use {
    USE_INPUT, /* no return, no errno */
    USE_OUTPUT,
    USE_CONDITION, /* after the call, a number */
    USE_KEY,       /* carry and its like: a number or address */
    USE_PROGRAM,   /* exit and constants only */
};
struct compiled {
    const struct manifest_expr *expr;
    const struct manifest_type *ctype;
    const struct manifest_type *record; /* a whole one: by its members */
    bool is_unknown; /* its place is not known: drop it, no error */
};
bool compile_expression(struct parser *p, const struct manifest_decl *decl,
                        const struct node *node, enum expr_use use,
                        struct compiled *out);
/* The value of a whole parameter (index) or of the return value (-1), as
 * it is captured without being named: no text. NULL: not a scalar. */
const struct manifest_expr *compile_implied(struct parser *p,
                                            const struct manifest_decl *decl,
                                            int32_t index, bool with_text);

/* attributes.c */
bool parse_attributes(struct parser *p, struct attribute **out);
const struct attribute *attribute_find(const struct attribute *list,
                                       enum attribute_kind kind);
const char *attribute_name(enum attribute_kind kind);
bool attribute_is_directive(enum attribute_kind kind);

/* Is every name in it known? Reports the first that is not. */
bool compile_check_names(struct parser *p, const struct manifest_decl *decl,
                         const struct node *node);

/* declare.c: a declaration and its attributes to a manifest_decl. */
enum pasted_this {
    THIS_UNKNOWN,
    THIS_NONE,
    THIS_FIRST,
};
struct declaration {
    const struct attribute *attrs;
    const struct manifest_type *type; /* NULL: a bare name, or none */
    const char *ident;                /* NULL: none */
    struct mark at;                   /* the name, else the attributes */
    struct mark type_at;              /* of the return type */
    /* of cxx_pasted.c; else NULL */
    const char *readable; /* as a demangler tells the name */
    const char *doubt;    /* why nobody knows where the parameters are */
    enum pasted_this this_kind;
    bool has_no_result; /* it is not said */
};
/* Append it to the manifest. `p->failed` makes it a disabled one. */
void declare(struct parser *p, const struct declaration *d);
/* The same for an annotated typedef, which is not in the manifest. */
const struct manifest_decl *declare_rules(struct parser *p,
                                          const struct declaration *d);
/* cxx_pasted.c: a function as C++ tools print it. False: it is none, and is to
 * be read as C. `failed`: it is one, and was reported. */
bool pasted_parse(struct parser *p, struct declaration *out, bool *failed);
/* A type among its parameters that C has no words for. False: it has. */
bool pasted_param(struct parser *p, const struct manifest_type **out);
/* Without debug information: `this`, or a doubt. */
void pasted_assume(struct parser *p, struct declaration *d);
/* captures.c: items, rules and secrets of a declaration */
bool declare_captures(struct parser *p, const struct attribute *attrs,
                      struct manifest_decl *decl);
bool declare_flows(struct parser *p, const struct attribute *attrs,
                   struct manifest_decl *decl);
/* fails or benign; decl NULL: of a program */
bool declare_rules_of(struct parser *p, const struct attribute *attrs,
                      enum attribute_kind kind,
                      const struct manifest_decl *decl, enum expr_use use,
                      const struct manifest_rule **rules, uint32_t *count);
/* True if it was a setting; a bad value is reported. */
bool settings_apply(struct parser *p, struct manifest_settings *settings,
                    const struct attribute *attr);

/* borrow.c: what the debug information knows */
struct raw_record;
void borrow_want(struct parser *p, enum manifest_want_kind kind,
                 const char *name);
/* The prototype of `d`, from the types or compared with them. What is said of
 * its functions, or NULL. */
const struct name *borrow_prototype(struct parser *p, struct declaration *d,
                                    struct manifest_decl *decl);
/* Would one be read as the other is? An opaque one is not judged. */
bool borrow_is_alike(const struct manifest_type *a,
                     const struct manifest_type *b);
/* The manifest's record stands for elements, of which the size matters. */
void borrow_compare_size(struct parser *p, struct mark at,
                         const struct manifest_type *type);
/* Would the parameters of this function type be those of `said`? */
bool borrow_fits(const struct manifest_type *function, const struct name *said);
/* host->types: keep it under the name it was wanted by. */
void borrow_keep(struct parser *p, const struct declaration *d);
/* A member of the manifest against the borrowed record of the same tag. */
void borrow_compare_member(struct parser *p, const struct type *borrowed,
                           const struct manifest_member *member,
                           struct mark at);
void borrow_compare_typedef(struct parser *p, struct name *name,
                            const struct declarator *d);
void borrow_compare_constant(struct parser *p, struct mark at,
                             const struct name *name, int64_t value);
/* Before the manifest itself. */
void borrow_types(struct parser *p);

/* placement.c: where the compiler put the parameters, of which `params` has
 * the psABI's places. */
void placement_apply(struct parser *p, const struct declaration *d,
                     struct manifest_decl *decl, struct manifest_param *params,
                     const struct name *said);

/* parse.c */
void parse_source(struct parser *p, const struct source *src);
