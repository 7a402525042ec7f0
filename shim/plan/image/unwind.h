/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unwind table of an object: which function covers an address, and its
 * rows "CFA = register + offset". Private to shim/plan; used for the extent
 * of functions and to check the proof against what the compiler said.
 * After DWARF 5, 6.4, and the LSB's .eh_frame.
 */
#pragma once
#include "shim/plan/image/image.h"

struct plan_fde {
    uint64_t at;        /* link-time address of the FDE itself */
    uint64_t low, high; /* the code that it covers */
    uint64_t lsda;      /* exception table, 0: none */
    uint64_t cie_program, cie_program_len;
    uint64_t program, program_len;
    uint64_t code_align;
    bool is_signal_frame;
};

/* The FDE that covers pc. -ENOENT. */
int plan_fde_find(const struct plan_image *image, uint64_t pc,
                  struct plan_fde *out) __attribute__((warn_unused_result));
/* The end of the last FDE that starts at or before pc. -ENOENT. */
int plan_fde_end_before(const struct plan_image *image, uint64_t pc,
                        uint64_t *end) __attribute__((warn_unused_result));
/* The starts of all FDEs, in no order; a cursor begins as zeros. False: that
 * was all. */
struct plan_fde_cursor {
    uint64_t at;
};
bool plan_fde_next(const struct plan_image *image,
                   struct plan_fde_cursor *cursor, uint64_t *start);
/* Start of the first FDE after pc; UINT64_MAX: none. */
uint64_t plan_fde_next_start(const struct plan_image *image, uint64_t pc);

enum plan_row_kind {
    PLAN_ROW_NONE,
    PLAN_ROW_REGISTER,
    PLAN_ROW_EXPRESSION
};

struct plan_row {
    uint64_t low, high;
    uint8_t kind;   /* enum plan_row_kind */
    uint8_t reg;    /* encoding order: rax rcx rdx rbx rsp rbp rsi rdi r8.. */
    int32_t offset; /* _EXPRESSION: the CFA is stored at reg + offset */
};

/* The rows of an FDE, in order. Returns how many; -E2BIG: more than `max`,
 * -EINVAL: cannot be read. */
int plan_fde_rows(const struct plan_image *image, const struct plan_fde *fde,
                  struct plan_row *rows, int max)
    __attribute__((warn_unused_result));

/* Where an exception out of the call at pc lands: 0 nowhere. -EINVAL. */
int plan_fde_landing_pad(const struct plan_image *image,
                         const struct plan_fde *fde, uint64_t pc, uint64_t *pad)
    __attribute__((warn_unused_result));

/* Each place where an exception out of this function may land. `each` returns
 * true to stop; that is returned. False, too: the table cannot be read. */
bool plan_fde_each_pad(const struct plan_image *image,
                       const struct plan_fde *fde,
                       bool (*each)(void *context, uint64_t pad),
                       void *context);

/* A bounded reader over bytes of an object. A read past its end makes it
 * `bad` and gives 0. */
struct plan_cursor {
    const uint8_t *at, *end;
    uint64_t vaddr; /* of `at` */
    bool bad;
};
struct plan_cursor plan_cursor_open(const struct plan_image *image,
                                    uint64_t vaddr, uint64_t len);
uint64_t plan_cursor_fixed(struct plan_cursor *c, unsigned bytes);
uint64_t plan_cursor_uleb(struct plan_cursor *c);
int64_t plan_cursor_sleb(struct plan_cursor *c);
/* A pointer in DW_EH_PE encoding; indirect ones give 0. */
uint64_t plan_cursor_pointer(struct plan_cursor *c, uint8_t encoding);
void plan_cursor_skip(struct plan_cursor *c, uint64_t bytes);
