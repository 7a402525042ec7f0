/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From tokens to a tree: C's types, declarators and records, attributes and
 * their expressions. What they mean: manifest/meaning/meaning.h. Only manifest/
 * includes it; errors and memory as manifest/text/parser.h has them.
 */
#pragma once
#include "manifest/text/parser.h"

/* ---- types ----------------------------------------------------------- */

extern const struct type type_void, type_int, type_uint, type_long, type_ulong,
    type_bool, type_char, type_ptrdiff, type_void_pointer;

/* A builtin name (`int32_t`, `size_t`, also `std::size_t`) or NULL. */
const struct manifest_type *type_find_builtin(const char *name, size_t len);
/* A pointer to a member, or to a member function. */
const struct manifest_type *type_member_pointer(bool is_method);
/* The vector of so many bytes, or NULL. */
const struct manifest_type *type_vector_of(uint64_t size_bytes);
/* The n-th builtin name for suggestions, NULL past the end. */
const char *type_builtin_name(size_t n);

/* containers.c: std::string and its like, or NULL. */
const struct manifest_type *container_find(const char *name, size_t len);
/* std::vector of such elements. NULL: the arena is full. */
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
/* The size of the whole, and layout->align_bytes. */
uint64_t layout_finish(struct layout *layout);

/* "struct job", "int", "a pointer": for messages; in the arena. */
const char *type_describe(struct parser *p, const struct manifest_type *t);
/* NULL: the arena is full. */
const struct manifest_type *type_pointer_to(struct parser *p,
                                            const struct manifest_type *to);
/* `double v2d __attribute__((vector_size(16)))`; without one: `type`. NULL:
 * reported. */
const struct manifest_type *type_apply_vector(struct parser *p, struct mark at,
                                              const struct manifest_type *type,
                                              uint32_t vector_bytes);
/* Is a value of it passed or kept without knowing more? */
bool type_is_complete(const struct manifest_type *t);

/* ---- declarations ----------------------------------------------------- */

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
/* `const unsigned long`, a record, an enum. `at_top`: typedef may be among
 * them. */
bool parse_specifiers(struct parser *p, bool at_top, struct specifiers *out);
/* One name and what stands around it, with `base` before all of it. */
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
/* records.c: from the word struct, union or enum on. */
bool parse_record(struct parser *p, struct specifiers *out);
bool parse_enum(struct parser *p, struct specifiers *out);

enum pasted_this { /* is there a `this` before the parameters? */
    THIS_UNKNOWN,
    THIS_NONE,
    THIS_FIRST,
};
/* As it was read: what manifest/meaning makes a manifest_decl of. */
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

/* cxx_pasted.c: a function as C++ tools print it. False: it is none, and is to
 * be read as C. `failed`: it is one, and was reported. */
bool pasted_parse(struct parser *p, struct declaration *out, bool *failed);
/* Its name alone, without a result and parameters: "Box<int>::get;". False: it
 * is none, or a name of C. */
bool pasted_bare(struct parser *p, struct declaration *out);
/* A type among its parameters that C has no words for. False: it has. */
bool pasted_param(struct parser *p, const struct manifest_type **out);
/* cxx_declared.c: " const &" behind the parameters of what was just read, ""
 * without any. NULL: p->fatal. */
const char *declared_qualifiers(struct parser *p, const struct declaration *d);
/* "ns::f(char const*) const" of "int ns::f(const char *text) const", which was
 * just read and has these qualifiers. NULL: it is none, or too long, or
 * p->failed. */
const char *declared_readable(struct parser *p, const struct declaration *d,
                              const char *qualifiers);
/* Without debug information: `this`, or a doubt. */
void pasted_assume(struct parser *p, struct declaration *d);

/* ---- attributes and expressions ---------------------------------------- */

/* expression.c. NULL: reported. */
struct node *parse_expression(struct parser *p);
/* "job_id" of job->id; NULL if nothing is implied. */
const char *node_implied_key(struct parser *p, const struct node *node);
/* As it was written, blanks squeezed and comments dropped. */
const char *node_source(struct parser *p, const struct node *node);
/* Does `node` read `secret`, or memory that covers it? */
bool node_touches(const struct node *node, const struct node *secret);
bool node_has(const struct node *node, enum node_kind kind);

/* attributes.c: all `[[...]]` that stand here; *out NULL: there are none. */
bool parse_attributes(struct parser *p, struct attribute **out);
/* The first of a kind, or NULL; its name in a manifest; is it a statement? */
const struct attribute *attribute_find(const struct attribute *list,
                                       enum attribute_kind kind);
const char *attribute_name(enum attribute_kind kind);
bool attribute_is_directive(enum attribute_kind kind);
