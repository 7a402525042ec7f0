/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions of the manifest, evaluated at a call. Runs on the path of a
 * call inside the traced process: no malloc, no libc call, no vector
 * register, bounded time. Memory is read only through `read`.
 */
#pragma once
#include "manifest/manifest.h"

struct manifest_env {
    void *context;
    /* rdi rsi rdx rcx r8 r9 as they were at entry */
    const uint64_t *ireg;
    /* 8 registers of 16 bytes as they were at entry; NULL: not available */
    const uint8_t (*freg)[16];
    uint64_t stack_args; /* address of the first stack argument */
    /* at leave only (is_leave): */
    bool is_leave;
    uint64_t rax, rdx;
    const uint8_t (*ret_freg)[16]; /* xmm0 xmm1; NULL: not available */
    const uint8_t *ret_x87;        /* 10 bytes of st0; NULL: not available */
    int saved_errno;
    bool is_left;        /* by longjmp: there is no result (is_leave false) */
    int64_t exit_status; /* for program rules */
    /* Copy n bytes from addr; the bytes that could be copied, 0 to n. Never
     * faults. */
    size_t (*read)(void *context, void *dst, uint64_t addr, size_t n);
};

struct manifest_value {
    enum manifest_value_type type;
    bool is_null;       /* a NULL pointer where text or bytes were wanted */
    bool is_unreadable; /* some dereference could not be read */
    uint64_t bits;      /* scalar, or address of text and bytes; F32 (low 4
                           bytes) and F64 as raw bits: there is no double in
                           code compiled with -mgeneral-regs-only */
    uint64_t bits_high; /* F80: the upper 8 of 16 bytes */
    uint64_t len_bytes; /* of BYTES; TEXT is measured when it is copied, and
                           ends after len_bytes unless that is 0 */
};

/* Does this expression need vector registers, st0, or the stack arguments? */
bool manifest_expr_needs_freg(const struct manifest_expr *expr);
bool manifest_expr_needs_x87(const struct manifest_expr *expr);
bool manifest_expr_needs_stack(const struct manifest_expr *expr);
/* Of parameters, which the call overwrites: how many bytes of the stack
 * arguments it reads, and whether a vector register. */
uint64_t manifest_expr_stack_bytes(const struct manifest_expr *expr);
bool manifest_expr_needs_freg_params(const struct manifest_expr *expr);
/* The plain case, for the fast path: the value is integer parameter
 * `*ireg` (or rax: 6) of `*size` bytes, `*is_signed`. False: evaluate. */
bool manifest_expr_is_register(const struct manifest_expr *expr, uint32_t *ireg,
                               uint32_t *size_bytes, bool *is_signed);

/* Does it read what a pointer points to, but for a slice of which the bounds
 * are said? */
bool manifest_expr_dereferences(const struct manifest_expr *expr);
/* Does it read memory (may fail), or the return value or errno? */
bool manifest_expr_needs_memory(const struct manifest_expr *expr);
bool manifest_expr_needs_return(const struct manifest_expr *expr);
/* Does it ask whether the call was left by longjmp? */
bool manifest_expr_asks_longjmp(const struct manifest_expr *expr);

/* 0, or -EFAULT (unreadable), -EDOM (division by zero), -EINVAL (needs what
 * the environment does not have). [signal-safe] */
int manifest_eval(const struct manifest_expr *expr,
                  const struct manifest_env *env, struct manifest_value *out);
/* True if the condition evaluates to non-zero; an error is false. */
bool manifest_eval_condition(const struct manifest_expr *expr,
                             const struct manifest_env *env);
