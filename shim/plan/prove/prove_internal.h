/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proof that a function has no stack arguments: an abstract
 * interpretation of its machine code.
 *
 * What is tracked. Each general register and each spilled word holds a
 * `value`. A stack value is `symbol + [low, high]`, where symbol 0 is the CFA
 * itself (the caller's rsp before the call; stack arguments start there) and
 * any other symbol an address only known to be at most CFA + bound[symbol]:
 * the result of aligning rsp or of alloca. `wide` says that something unknown
 * was added: the value may point anywhere around. What may or may not be a
 * stack value counts as one.
 *
 * What is proved. On no path through the code is there an access at or above
 * the CFA, an address there taken, or a place that is unknown in relation to
 * the CFA touched. Before each instruction the compiler's own unwind row must
 * agree with what was tracked, so an error in tracking shows.
 *
 * Private to shim/plan. One prover lives in the scratch memory of one call.
 */
#pragma once
#include "shim/plan/decode/decode.h"
#include "shim/plan/prove/prove_rules.h"
#include "shim/plan/image/unwind.h"

enum {
    PROVE_SLOTS = 40, /* spilled pointers in one state */
    PROVE_SYMBOLS = 1024,
    PROVE_ROWS = 4096,
    PROVE_FDES = 32,
    PROVE_BLOCKS = 16384, /* power of two */
    PROVE_BLOCKS_MIN = 1024,
    PROVE_WORDS = 131072, /* of packed states: 1 MiB */
    PROVE_TARGETS = 64,   /* functions in one proof */
    PROVE_STEPS = 100000,
    PROVE_TABLE = 8192,  /* entries of a jump table */
    PROVE_ARGS = 128,    /* bytes of stack arguments that can be copied */
    PROVE_FAR = 1 << 28, /* offsets beyond are "unknown" */
};

enum value_kind {
    VALUE_OTHER, /* not derived from the stack pointer */
    VALUE_CONST, /* `constant`; addresses are link-time addresses */
    VALUE_STACK,
    VALUE_TABLE_ENTRY,  /* a 4-byte entry of the jump table at `constant` */
    VALUE_TABLE_TARGET, /* such an entry plus the table's address */
    VALUE_TABLE_WIDE,   /* an 8-byte entry of the jump table at `constant` */
    VALUE_CALLER,       /* the caller's rbp */
};

enum {
    WIDE = 1,
    WIDE_FROM_CFA = 2
};

struct value {
    uint8_t kind, wide;
    uint16_t symbol;
    int32_t low, high;
    uint32_t zero; /* padding made visible: values are compared as bytes */
    uint64_t constant;
};
_Static_assert(sizeof(struct value) == 24, "packed as three words");

struct slot {
    uint16_t symbol, zero;
    int32_t offset;
    struct value value;
};
_Static_assert(sizeof(struct slot) == 32, "packed as four words");

struct state {
    struct value reg[GPR_COUNT];
    uint32_t slot_count;
    struct slot slot[PROVE_SLOTS];
};

/* Start of a stretch of code that several paths may reach; its state is
 * packed in prover.words. */
struct block {
    uint64_t pc; /* 0: free */
    uint32_t at;
    uint16_t joins;
    uint16_t is_queued;
};

struct fde_rows {
    struct plan_fde fde;
    int first, count;
};

struct prove_target {
    const struct plan_image *image;
    uint64_t vaddr;
};

struct prover {
    struct plan_reader reader;
    const struct plan_resolver *resolver;
    uint64_t low, high; /* the function */
    /* the outcome */
    enum plan_stack verdict;
    const char *text;
    uint64_t text_vaddr;
    uint32_t args_bytes; /* of stack arguments that were touched */
    bool is_decided;     /* nothing can change the verdict any more */
    bool vector_has_pointer, restart;
    uint64_t drap_pc;
    uint64_t compared_next; /* behind a cmp of rsp with this register */
    int compared_reg;
    uint32_t steps, steps_max;
    /* symbols */
    int symbol_count;
    int32_t bound[PROVE_SYMBOLS];
    uint64_t origin[PROVE_SYMBOLS];
    /* unwind rows */
    int fde_count, row_count;
    struct fde_rows fdes[PROVE_FDES];
    struct plan_row rows[PROVE_ROWS];
    /* blocks */
    uint32_t block_mask, block_used, pending_count, words_used;
    struct block blocks[PROVE_BLOCKS];
    uint16_t pending[PROVE_BLOCKS];
    uint64_t words[PROVE_WORDS];
    /* the functions of this proof: the one asked for, then what it and they
     * tail-jump to */
    int target_count;
    struct prove_target targets[PROVE_TARGETS];
};

/* ---- outcome (prove_outcome.c) */
/* The proof ends here: nothing else is looked at. `text` is kept, not copied;
 * of a proof that is decided already nothing changes. */
void prove_fail(struct prover *p, enum plan_stack verdict, const char *text,
                uint64_t pc);
/* A finding that does not end the search: a worse one may follow. */
void prove_doubt(struct prover *p, enum plan_stack verdict, const char *text,
                 uint64_t pc);
/* A function that this one tail-jumps to is to be proved as well, once; too
 * many are a doubt. */
void prove_add_target(struct prover *p, const struct plan_image *image,
                      uint64_t vaddr, uint64_t pc);

/* ---- values (prove_value.c) */
/* Why a symbol was made, the low byte of its origin. */
enum symbol_tag {
    SYMBOL_ALLOCA = 0,
    SYMBOL_RSP_JOIN = 1,
    SYMBOL_REGISTER_JOIN = 16,
    SYMBOL_CMOV = 48,
    SYMBOL_SLOT_JOIN = 64,
};
struct value value_other(void);
struct value value_const(uint64_t constant);
struct value value_stack(unsigned symbol, int32_t low, int32_t high,
                         unsigned wide);
bool value_is_exact(const struct value *v, int32_t offset);
/* A stack value whose place is one known offset from its symbol. */
bool value_is_place(const struct value *v);
/* The highest offset from the CFA that the value may have. */
int64_t value_bound(const struct prover *p, const struct value *v);
unsigned value_symbol(struct prover *p, uint64_t pc, unsigned tag,
                      int64_t bound);
struct value value_add(struct value a, struct value b);
struct value value_join(struct prover *p, struct value a, struct value b,
                        uint64_t pc, unsigned tag, bool widen);

/* ---- states (prove_state.c) */
struct value *state_slot(struct state *s, unsigned symbol, int32_t offset);
/* Value of the 8 bytes at a place; VALUE_OTHER where nothing is known. */
struct value state_load(struct state *s, const struct value *place);
void state_store(struct prover *p, struct state *s, const struct value *place,
                 struct value v, uint64_t pc);
bool state_is_stored(struct prover *p, uint64_t pc);
/* Let the state arrive at pc; queue it if that says something new. */
void state_arrive(struct prover *p, uint64_t pc, const struct state *s);
bool state_take(struct prover *p, uint64_t *pc, struct state *s);
void state_reset(struct prover *p);

/* ---- unwind rows (prove_rows.c) */
const struct fde_rows *rows_of(struct prover *p, uint64_t pc);
const struct plan_row *row_at(struct prover *p, uint64_t pc);
/* Does the row at pc agree with the state? An rsp that is only known to be
 * the same on all paths is made exact from the row. */
bool row_agrees(struct prover *p, uint64_t pc, struct state *s);

/* ---- one instruction */
struct step {
    struct prover *p;
    struct state *s;
    struct plan_insn insn;
    int memory;           /* index of the explicit memory operand, or -1 */
    struct value address; /* its effective address */
    uint64_t table;       /* constant part of constant + unknown index */
    int dst, src;         /* register of operand 0, 64-bit one of operand 1 */
    bool dst64, is_string;
};
/* An access of `size` bytes at a (prove_memory.c). */
void prove_access(struct prover *p, const struct value *a, int64_t size,
                  uint64_t pc);
/* Effective addresses and accesses (prove_memory.c). */
void step_memory(struct step *t);
/* Uses of addresses at or above the CFA, of the caller's rbp. */
void step_uses(struct step *t);
/* Control flow (prove_flow.c): true if the instruction was one of these;
 * *next is where to go on, 0: this path ends. */
bool step_flow(struct step *t, uint64_t *next);
void flow_jump(struct prover *p, uint64_t target, struct state *s, uint64_t pc);
/* `and $-n, %rsp` comes soon: this is the prologue of a realigned frame
 * (prove_ahead.c). */
bool step_realigns_soon(const struct step *t);
/* `mov reg, %rsp` comes soon: the subtraction before it is an alloca
 * (prove_ahead.c). */
bool step_becomes_rsp_soon(const struct step *t, int reg);
/* Everything else (prove_data.c). */
void step_data(struct step *t);
void step_set_register(struct step *t, int reg, struct value v, bool is_lea);
