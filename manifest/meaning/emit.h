/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between compile.c (names, types, places) and emit.c (operators): one
 * expression on its way to postfix code for a small stack machine. Postfix,
 * because eval.c runs on the path of a call and must not recurse.
 */
#pragma once
#include "manifest/meaning/meaning.h"

struct compile {
    struct parser *p;
    const struct manifest_decl *decl; /* NULL: program rules */
    enum expr_use use;
    const struct node *item; /* that is captured; NULL: a rule or a key */
    bool is_unknown;         /* a place that nobody knows */
    bool is_quiet;           /* implied: failing is no error */
    uint32_t count, stack, stack_max;
    bool needs_freg, needs_stack, needs_return, needs_memory, needs_x87;
    bool needs_freg_params, dereferences;
    uint64_t stack_bytes;
    bool is_ranged;                     /* TEXT: an address and its length */
    const struct manifest_type *record; /* an item that is a whole record */
    struct code code[LIMIT_EXPR_OPS];
};

enum operand_kind {
    OPERAND_VALUE,    /* its value is on the stack */
    OPERAND_ADDRESS,  /* its address is on the stack */
    OPERAND_REGISTER, /* a record in registers; nothing on the stack */
};
struct operand {
    enum operand_kind kind;
    const struct manifest_type *type;
    uint32_t bit_offset, bit_width; /* ADDRESS of a bit field */
    struct manifest_place place;    /* REGISTER */
    bool is_return;                 /* REGISTER: rax rdx xmm0 xmm1 */
    uint64_t offset;                /* REGISTER: of the part meant */
    uint64_t array_bytes; /* VALUE: it was an array of so many bytes */
};

static inline struct code op_of(enum code_op op, uint64_t size, bool is_signed,
                                int64_t imm)
{
    return (struct code){.op = (uint8_t)op,
                         .size = (uint8_t)size,
                         .is_signed = is_signed,
                         .imm = imm};
}

/* compile.c: an operand, its value, what `*p` needs, an integer. */
bool compile_node(struct compile *c, const struct node *node,
                  struct operand *out);
bool compile_value(struct compile *c, const struct node *node,
                   struct operand *out);
bool compile_pointer(struct compile *c, const struct node *node, bool is_slice,
                     struct operand *out);
bool compile_count(struct compile *c, const struct node *node,
                   struct operand *out);

/* emit.c. false: reported, or c->is_quiet. */
bool emit(struct compile *c, struct code code, int effect);
bool emit_offset(struct compile *c, uint64_t offset_bytes);
bool emit_param(struct compile *c, const struct manifest_type *type,
                struct manifest_place place, struct operand *out);
bool emit_return(struct compile *c, struct mark at, struct operand *out);
/* No value can be made of what stands at `at`: what is captured goes without
 * it, and a message says `why`; to a rule it is an error, `why_not`. Each goes
 * on behind "'" and the source text. */
void emit_leave_out(struct compile *c, struct mark at, const char *why_not,
                    const char *why);
/* Load it: an address becomes the value, an array a pointer. */
bool emit_value(struct compile *c, struct mark at, struct operand *operand);
/* The register of the eightbyte at operand->offset, then the bits of it. */
bool emit_piece(struct compile *c, struct mark at, struct operand *operand);
/* container_code.c: its text or elements, address and length on the stack. */
bool emit_container(struct compile *c, struct mark at, struct operand *operand,
                    enum manifest_value_type *type);
bool emit_binary(struct compile *c, const struct node *node,
                 const struct manifest_type *left,
                 const struct manifest_type *right,
                 const struct manifest_type **result);
/* Integer promotion of one type: what -x and array indexes have. */
const struct manifest_type *promote(const struct manifest_type *type);
bool type_is_number(const struct manifest_type *type); /* not float */
/* What a value of this type is, once captured; 0: not a value. */
enum manifest_value_type value_type_of(const struct manifest_type *type);
#define compile_error(c, at, ...)                                              \
    do {                                                                       \
        if (!(c)->is_quiet)                                                    \
            parser_error((c)->p, (at), __VA_ARGS__);                           \
    } while (0)
