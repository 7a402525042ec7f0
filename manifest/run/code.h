/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An expression as compiled: what compile.c writes and eval.c runs.
 */
#pragma once
#include "manifest/run/eval.h"

enum {
    EXPR_STACK = 32, /* values at once, at most */
};

enum container {
    CONTAINER_NONE,
    CONTAINER_STRING, /* pointer, length */
    CONTAINER_VIEW,   /* length, pointer */
    CONTAINER_VECTOR, /* first, end */
};

enum code_op { /* see eval.c */
    OP_PUSH,
    OP_IREG,
    OP_FREG,
    OP_STACK,
    OP_RETURN_IREG,
    OP_RETURN_FREG,
    OP_RETURN_X87, /* two words */
    OP_ERRNO,
    OP_EXIT,
    OP_LONGJMP, /* is a longjmp its end? */
    OP_LOAD,
    OP_LOAD_WIDE, /* 16 bytes: x87; two words */
    OP_SHIFT,     /* right by imm bits */
    OP_BITS,      /* keep `size` bits, sign or zero extend */
    OP_CONVERT,
    OP_TO_BOOL,
    OP_NOT,
    OP_NEGATE,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_CONTAINER, /* its address -> address length; index: enum container */
    OP_SLICE,     /* base from to -> address length; imm: element size */
    OP_AND,       /* 0: keep it and jump to imm; else drop it */
    OP_OR,        /* not 0: keep it and jump to imm; else drop it */
};
struct code {
    uint8_t op;
    uint8_t size; /* bytes; OP_BITS: bits */
    bool is_signed;
    uint8_t index; /* of a register */
    int64_t imm;
};
_Static_assert(sizeof(struct code) == 16, "four to a cache line");

struct manifest_expr {
    const struct code *code;
    uint32_t count;
    enum manifest_value_type type;
    uint64_t bound_bytes; /* TEXT in an array: at most so many; else 0 */
    bool needs_freg, needs_stack, needs_return, needs_memory, needs_x87;
    bool needs_freg_params, dereferences;
    bool is_ranged;       /* TEXT: address and length, as BYTES */
    uint64_t stack_bytes; /* of the stack arguments */
};

/* The number of an errno by its name, `len` bytes of it ("ENOENT"). False:
 * there is no such name. [any thread, signal-safe] */
bool errno_find(const char *name, size_t len, int *value);
/* The names one after the other, n from 0; NULL behind the last. */
const char *errno_name_at(size_t n);
