/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small stack machine for the expressions of the manifest. It runs on the
 * application's thread in the middle of a call, maybe in a signal handler, so
 * it is compiled with -mgeneral-regs-only, calls nothing but env->read, uses
 * 300 bytes of stack, and takes a time bounded by the number of operations
 * (jumps go forward only).
 *
 * On the stack every integer stands extended to 64 bits by its own type; an
 * operation takes what it needs of it (size, sign) as C would.
 */
#include "manifest/run/code.h"

#include <errno.h>

struct machine {
    const struct manifest_env *env;
    uint64_t *top; /* the topmost value */
    bool is_unreadable;
    bool is_null; /* a container behind a NULL pointer */
};

static uint64_t extend(uint64_t value, uint32_t bits, bool is_signed)
{
    uint32_t unused = 64 - bits;
    if (bits == 0 || bits >= 64)
        return value;
    if (is_signed)
        return (uint64_t)((int64_t)(value << unused) >> unused);
    return value << unused >> unused;
}

static int load(struct machine *m, const struct code *op)
{
    uint64_t word[2] = {0, 0};
    size_t size = op->op == OP_LOAD_WIDE ? 16 : op->size;
    const struct manifest_env *env = m->env;
    if (size > sizeof(word))
        return -EINVAL;
    if (!env->read || env->read(env->context, word, *m->top, size) != size) {
        m->is_unreadable = true;
        return -EFAULT;
    }
    if (op->op == OP_LOAD_WIDE) {
        *m->top++ = word[0];
        *m->top = word[1];
    } else {
        *m->top = extend(word[0], op->size * 8u, op->is_signed);
    }
    return 0;
}

/* The bytes of a register file as they are: no vector register is used. */
static uint64_t take_vector(const uint8_t *reg, uint32_t size)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < size && i < 8; i++)
        value |= (uint64_t)reg[i] << (8 * i);
    return value;
}

static int push_x87(struct machine *m)
{
    uint16_t high;
    if (!m->env->is_leave || !m->env->ret_x87)
        return -EINVAL;
    __builtin_memcpy(++m->top, m->env->ret_x87, 8);
    __builtin_memcpy(&high, m->env->ret_x87 + 8, sizeof high);
    *++m->top = high;
    return 0;
}

static int push_source(struct machine *m, const struct code *op)
{
    const struct manifest_env *env = m->env;
    uint64_t value = 0;
    bool is_return = op->op == OP_RETURN_IREG || op->op == OP_RETURN_FREG ||
                     op->op == OP_ERRNO;
    if (is_return && !env->is_leave)
        return -EINVAL;
    switch (op->op) {
    case OP_PUSH:
        value = (uint64_t)op->imm;
        break;
    case OP_IREG:
        if (!env->ireg)
            return -EINVAL;
        value = extend(env->ireg[op->index], op->size * 8u, op->is_signed);
        break;
    case OP_FREG:
        if (!env->freg)
            return -EINVAL;
        value = take_vector(env->freg[op->index], op->size);
        break;
    case OP_STACK:
        if (!env->stack_args)
            return -EINVAL;
        value = env->stack_args + (uint64_t)op->imm;
        break;
    case OP_RETURN_IREG:
        value = extend(op->index ? env->rdx : env->rax, op->size * 8u,
                       op->is_signed);
        break;
    case OP_RETURN_FREG:
        if (!env->ret_freg)
            return -EINVAL;
        value = take_vector(env->ret_freg[op->index], op->size);
        break;
    case OP_ERRNO:
        value = (uint64_t)(int64_t)env->saved_errno;
        break;
    case OP_LONGJMP:
        value = env->is_left;
        break;
    default: /* OP_EXIT */
        value = (uint64_t)env->exit_status;
    }
    *++m->top = value;
    return 0;
}

static int divide(const struct code *op, uint64_t a, uint64_t b, uint64_t *out)
{
    if (b == 0)
        return -EDOM;
    if (!op->is_signed)
        *out = op->op == OP_DIV ? a / b : a % b;
    else if (b == UINT64_MAX) /* also INT64_MIN / -1, which traps */
        *out = op->op == OP_DIV ? -a : 0;
    else if (op->op == OP_DIV)
        *out = (uint64_t)((int64_t)a / (int64_t)b);
    else
        *out = (uint64_t)((int64_t)a % (int64_t)b);
    return 0;
}

static bool compare(const struct code *op, uint64_t a, uint64_t b)
{
    bool less = op->is_signed ? (int64_t)a < (int64_t)b : a < b;
    switch (op->op) {
    case OP_EQ:
        return a == b;
    case OP_NE:
        return a != b;
    case OP_LT:
        return less;
    case OP_LE:
        return less || a == b;
    case OP_GT:
        return !less && a != b;
    default:
        return !less;
    }
}

static int binary(struct machine *m, const struct code *op)
{
    uint32_t bits = op->size * 8u;
    uint64_t b = extend(*m->top--, bits, op->is_signed);
    uint64_t a = extend(*m->top, bits, op->is_signed);
    uint64_t value;
    int error = 0;
    switch (op->op) {
    case OP_ADD:
        value = a + b;
        break;
    case OP_SUB:
        value = a - b;
        break;
    case OP_MUL:
        value = a * b;
        break;
    case OP_DIV:
    case OP_MOD:
        value = 0;
        error = divide(op, a, b, &value);
        break;
    default:
        *m->top = compare(op, a, b);
        return 0;
    }
    *m->top = extend(value, bits, op->is_signed);
    return error;
}

/* base from to -> address length; nothing at all behind NULL */
static void slice(struct machine *m, const struct code *op)
{
    int64_t to = (int64_t)m->top[0], from = (int64_t)m->top[-1];
    uint64_t base = m->top[-2];
    uint64_t count = to > from ? (uint64_t)to - (uint64_t)from : 0, len;
    m->top--;
    if (__builtin_mul_overflow(count, (uint64_t)op->imm, &len))
        len = UINT64_MAX;
    m->top[0] = len;
    m->top[-1] = base ? base + (uint64_t)from * (uint64_t)op->imm : 0;
}

/* address -> address of the data, its length in bytes (containers.c) */
static int container(struct machine *m, const struct code *op)
{
    uint64_t word[2] = {0, 0};
    const struct manifest_env *env = m->env;
    bool is_view = op->index == CONTAINER_VIEW;
    m->is_null = *m->top == 0;
    if (!m->is_null && (!env->read || env->read(env->context, word, *m->top,
                                                sizeof(word)) != 16)) {
        m->is_unreadable = true;
        return -EFAULT;
    }
    if (op->index == CONTAINER_VECTOR && word[1] < word[0])
        return -EFAULT;
    if (op->index == CONTAINER_VECTOR)
        word[1] -= word[0];
    *m->top++ = word[is_view];
    *m->top = word[!is_view];
    return 0;
}

static int step(struct machine *m, const struct code *op)
{
    switch (op->op) {
    case OP_LOAD:
    case OP_LOAD_WIDE:
        return load(m, op);
    case OP_SHIFT:
        *m->top >>= op->imm & 63;
        return 0;
    case OP_BITS:
        *m->top = extend(*m->top, op->size, op->is_signed);
        return 0;
    case OP_CONVERT:
        *m->top = extend(*m->top, op->size * 8u, op->is_signed);
        return 0;
    case OP_TO_BOOL:
        *m->top = *m->top != 0;
        return 0;
    case OP_NOT:
        *m->top = *m->top == 0;
        return 0;
    case OP_NEGATE:
        *m->top = extend(-*m->top, op->size * 8u, op->is_signed);
        return 0;
    case OP_SLICE:
        slice(m, op);
        return 0;
    case OP_CONTAINER:
        return container(m, op);
    case OP_RETURN_X87:
        return push_x87(m);
    default:
        return op->op >= OP_ADD && op->op <= OP_GE ? binary(m, op)
                                                   : push_source(m, op);
    }
}

static int run(struct machine *m, const struct manifest_expr *expr)
{
    for (uint32_t at = 0; at < expr->count; at++) {
        const struct code *op = &expr->code[at];
        if (op->op == OP_AND || op->op == OP_OR) {
            if ((*m->top != 0) == (op->op == OP_OR))
                at = (uint32_t)op->imm - 1;
            else
                m->top--;
            continue;
        }
        int error = step(m, op);
        if (error)
            return error;
    }
    return 0;
}

/* A text of length 0 need not end with a NUL, nor have an address. */
static void end_range(struct machine *m, struct manifest_value *out)
{
    static const char nothing[8];
    if (m->is_null || out->len_bytes != 0)
        out->is_null = *m->top == 0;
    else if (out->type == MANIFEST_VALUE_TEXT)
        *m->top = (uint64_t)(uintptr_t)nothing;
}

int manifest_eval(const struct manifest_expr *expr,
                  const struct manifest_env *env, struct manifest_value *out)
{
    uint64_t stack[EXPR_STACK + 2];
    struct machine m = {.env = env, .top = stack};
    int error;

    stack[0] = 0; /* below the first value: an empty program yields 0 */
    error = run(&m, expr);
    out->type = expr->type;
    out->is_null = false;
    out->is_unreadable = m.is_unreadable;
    out->bits = out->bits_high = out->len_bytes = 0;
    if (error)
        return error;
    if (expr->type == MANIFEST_VALUE_BYTES || expr->is_ranged) {
        out->len_bytes = *m.top--;
        out->is_null = *m.top == 0 && !expr->is_ranged;
        if (expr->is_ranged)
            end_range(&m, out);
    } else if (expr->type == MANIFEST_VALUE_F80) {
        out->bits_high = *m.top--;
    } else if (expr->type == MANIFEST_VALUE_TEXT) {
        out->len_bytes = expr->bound_bytes;
        out->is_null = *m.top == 0;
    }
    out->bits = *m.top;
    return 0;
}

bool manifest_eval_condition(const struct manifest_expr *expr,
                             const struct manifest_env *env)
{
    struct manifest_value value;
    return manifest_eval(expr, env, &value) == 0 && value.bits != 0;
}

bool manifest_expr_needs_freg(const struct manifest_expr *expr)
{
    return expr->needs_freg;
}

bool manifest_expr_needs_x87(const struct manifest_expr *expr)
{
    return expr->needs_x87;
}

bool manifest_expr_needs_stack(const struct manifest_expr *expr)
{
    return expr->needs_stack;
}

uint64_t manifest_expr_stack_bytes(const struct manifest_expr *expr)
{
    return expr->stack_bytes;
}

bool manifest_expr_needs_freg_params(const struct manifest_expr *expr)
{
    return expr->needs_freg_params;
}

bool manifest_expr_dereferences(const struct manifest_expr *expr)
{
    return expr->dereferences;
}

bool manifest_expr_needs_memory(const struct manifest_expr *expr)
{
    return expr->needs_memory;
}

bool manifest_expr_needs_return(const struct manifest_expr *expr)
{
    return expr->needs_return;
}

bool manifest_expr_asks_longjmp(const struct manifest_expr *expr)
{
    for (uint32_t i = 0; i < expr->count; i++)
        if (expr->code[i].op == OP_LONGJMP)
            return true;
    return false;
}

bool manifest_expr_is_register(const struct manifest_expr *expr, uint32_t *ireg,
                               uint32_t *size_bytes, bool *is_signed)
{
    const struct code *op = expr->code;
    bool is_return = op->op == OP_RETURN_IREG && op->index == 0;
    /* with a bound it is an array: the first member of what is pointed to */
    if (expr->count != 1 || expr->bound_bytes ||
        (op->op != OP_IREG && !is_return))
        return false;
    *ireg = is_return ? 6 : op->index;
    *size_bytes = op->size;
    *is_signed = op->is_signed;
    return true;
}
