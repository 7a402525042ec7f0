/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be done to one function, decided on its bytes alone.
 *
 * plan_function() says whether its entry can be patched, which bytes are
 * displaced and what their relocated copy is, and which trampoline may carry
 * the call: F (a frame on the caller's stack; only where it is proved that
 * the function neither reads nor takes an address at or above its CFA) or Z.
 * Pure functions, no malloc: scratch memory is handed in. The decoder is
 * Zydis, reached through a table of pointers because the preload opens it at
 * run time while the tools link it.
 */
#pragma once
#include "shim/plan/image/image.h"

/* The parts of Zydis that we call; the signatures are Zydis 4.0's. */
struct plan_decoder {
    unsigned (*decoder_init)(void *decoder, int machine_mode, int stack_width);
    unsigned (*decode_full)(const void *decoder, const void *buffer,
                            size_t length, void *instruction, void *operands);
    int (*register_class)(int reg);
    int (*register_largest_enclosing)(int machine_mode, int reg);
};
/* The table of a program that links Zydis (library handspan_plan_zydis). */
extern const struct plan_decoder plan_decoder_zydis;

enum plan_verdict {
    PLAN_OK,
    PLAN_NO_FUNCTION, /* no function starts there */
    PLAN_TOO_SHORT,
    PLAN_UNDECODABLE,
    PLAN_BRANCH_INTO,      /* a branch into the displaced bytes */
    PLAN_BRANCH_MAYBE,     /* bytes that may be one; nobody says how they are
                              to be read */
    PLAN_ENTRY_INSIDE,     /* a label of another function among them */
    PLAN_LABEL_INTO,       /* the address of one of them is taken */
    PLAN_COMPUTED_JUMP,    /* it takes the address of a label of its own */
    PLAN_BREAKPOINT,       /* int3 among the displaced bytes */
    PLAN_CHANGED,          /* never by a plan: for who compares with the file */
    PLAN_LOOP_TO_ENTRY,    /* the function jumps to its own entry */
    PLAN_LOOP_INSTRUCTION, /* jrcxz, loop, xbegin among the displaced bytes */
    PLAN_CALL_IN_PROLOGUE, /* under a shadow stack only */
    PLAN_IFUNC_RESOLVER,
    PLAN_ASSEMBLY, /* reads a callee-saved register before saving it */
    PLAN_GO,
    PLAN_THUNK,         /* a compiler's own (retpolines): no function */
    PLAN_EXCLUDED,      /* setjmp family, vfork, clone, *context, ... */
    PLAN_NOT_LOOKED_AT, /* plan_image_has_branches() is false */
    PLAN_PART,          /* .cold, .part: not a whole function */
    PLAN_PROFILED,      /* it tells a profiler who called it */
    PLAN_COLLECTED, /* OCaml: its collector finds frames by return addresses */
    PLAN_NO_UNWIND, /* no unwind table has it, though its object has some */
    PLAN_VERDICTS,
};
/* A phrase for people ("a branch leads into its first 5 bytes"). */
const char *plan_verdict_text(enum plan_verdict verdict);

enum plan_stack {
    PLAN_STACK_LOCAL,     /* K = 0 proved: F may carry it */
    PLAN_STACK_ARGUMENTS, /* reads or addresses stack arguments */
    PLAN_STACK_TAIL,      /* tail-jumps where it is not proved */
    PLAN_STACK_INDEXED,   /* indexes an address based on its CFA */
    PLAN_STACK_UNKNOWN,
    PLAN_STACK_CALLER, /* reads its return address, or what it jumps to does:
                          it is to be carried by neither F nor Z */
    PLAN_STACK_COPIED, /* touches the first reason.args_bytes of its stack
                          arguments and no more, and takes no address of them
                          (proved): F may carry it with a copy of those */
};
/* In words, for people; static. */
const char *plan_stack_text(enum plan_stack stack);

/* Where a tail jump through an import leads, as the running process binds it:
 * the target's image and link-time address. -ENOENT if unknown (the tools:
 * then nothing is proved). */
struct plan_resolver {
    void *context;
    int (*resolve_slot)(void *context, const struct plan_image *image,
                        uint64_t slot_vaddr, const struct plan_image **target,
                        uint64_t *target_vaddr);
};

enum {
    /* Functions and refusals that a process has room for; the rest of its
     * table of sites is for handspan's own hooks. */
    PLAN_HANDLERS_MAX = 3968
};

enum {
    PLAN_COPY_MAX = 96,
    PLAN_PATCH_BYTES = 5,
    PLAN_FIELDS_MAX = 8 /* each displaced instruction has one at most */
};

/* A field of the copy that says where something of the object is: the 32-bit
 * distance from `behind` (offset in the copy) to `vaddr`, or, `behind` 0, the
 * two halves of that address as the copy pushes it. */
struct plan_field {
    uint8_t at, behind; /* offsets in the copy */
    uint64_t vaddr;     /* link-time address */
};

/*
 * The relocated copy is position dependent: it is made for the address where
 * it will stand (`copy_at`, run-time address, within +-2 GiB of the object).
 */
struct plan_patch {
    enum plan_verdict verdict;
    /* Where instructions begin among the bytes of the jump, after its first:
     * offset from patch_at, and in the copy. Who stands there may go on in the
     * copy. */
    uint8_t boundary_count;
    struct {
        uint8_t at, copy;
    } boundary[PLAN_PATCH_BYTES - 1];
    uint64_t place;    /* link-time address of what stands against it: a branch,
                          a word; 0: none in particular */
    uint64_t entry;    /* run-time address of the function */
    uint64_t patch_at; /* where the jump goes: the entry, or behind an
                          endbr64 there */
    uint8_t displaced_bytes; /* 5 to 19, from patch_at; whole instructions,
                                maybe padding behind a short function */
    uint8_t original[PLAN_PATCH_BYTES]; /* what stands at patch_at now */
    uint8_t copy[PLAN_COPY_MAX]; /* calling it calls the handler: endbr64 if
                                    the function has one, the relocated
                                    instructions, a jump back */
    uint32_t copy_len;
    uint8_t field_count; /* of all that is position dependent in the copy */
    struct plan_field field[PLAN_FIELDS_MAX];
    /* Run-time addresses that the copy refers to: within 2 GiB of it. With
     * -ERANGE, too. [0, 0]: none. */
    uint64_t reach_low, reach_high;
    bool has_endbr;     /* the function starts with endbr64, which
                           stays in place: the patch comes after it */
    bool pushes_return; /* the copy pushes the original return address
                           and jumps where the original calls: wrong
                           under a shadow stack */
};

/* Scratch for one plan, about 2 MiB of which little is touched for a small
 * function. Size in bytes; aligned to 16; need not be cleared, and the same
 * memory may be used for one call after another. */
size_t plan_scratch_bytes(void);

/*
 * Can the entry be patched, and how? 0 when a verdict was reached, even if it
 * is a refusal; -ERANGE: the copy at `copy_at` does not reach its targets,
 * -EINVAL: no decoder. `copy_at` 0: the verdict alone.
 *
 * PLAN_EXCLUDED is about the name alone: when nothing else stands against the
 * patch, the copy is there (copy_len > 0), for a caller with a stub made for
 * just this function.
 */
int plan_entry_patch(const struct plan_decoder *decoder,
                     const struct plan_image *image, uint64_t vaddr,
                     uint64_t copy_at, void *scratch, struct plan_patch *out)
    __attribute__((warn_unused_result));

/*
 * The same patch of the same function where the object is loaded at `bias` and
 * the copy stands at `copy_at`; what was decided holds for any place. `patch`
 * may come from a file, so nothing in it is believed to be in order. 0, -ERANGE
 * as above, -EINVAL: it is no patch.
 */
int plan_patch_move(struct plan_patch *patch, uint64_t vaddr, uint64_t bias,
                    uint64_t copy_at) __attribute__((warn_unused_result));

/*
 * The proof. `reason` (may be NULL) gets a phrase and an address (link-time,
 * in the object where it was found: with PLAN_STACK_TAIL maybe another one).
 * `resolver` may be NULL: then a tail jump through an import proves nothing.
 *
 * Prove before patching: a patched entry among the tail-jump targets is a
 * jump to nowhere known, and the answer is then PLAN_STACK_TAIL. Ask for
 * functions, not for ifunc resolvers (plan_entry_patch refuses those). An
 * answer that went through an import holds as long as that stays bound so.
 *
 * Takes 50 to 200 us on average, at most some 50 ms (a step limit; beyond it
 * PLAN_STACK_UNKNOWN).
 */
struct plan_reason {
    const char *text;
    uint64_t vaddr;
    uint32_t args_bytes; /* PLAN_STACK_COPIED; at most 128 */
};
enum plan_stack plan_prove_stack(const struct plan_decoder *decoder,
                                 const struct plan_image *image, uint64_t vaddr,
                                 const struct plan_resolver *resolver,
                                 void *scratch, struct plan_reason *reason);

/*
 * The same within a budget, for who proves many at a start: at most
 * PLAN_PROOF_STEPS for one function and *steps_left for this round, which is
 * charged. Beyond either: PLAN_STACK_UNKNOWN with the reason
 * plan_proof_too_long. Steps are instructions that the proof looked at, not
 * time: the answer is the same on every machine and in every tool. A step is
 * some 700 ns, so these are about 7 ms and 3 s. The round's is a bound that
 * nobody is to meet (3,968 functions of the average take a tenth of it): how
 * many functions are asked for must not decide how safe a call is.
 */
enum {
    PLAN_PROOF_STEPS = 10000,
    PLAN_ROUND_STEPS = 4000000
};
extern const char plan_proof_too_long[];
enum plan_stack plan_prove_within(const struct plan_decoder *decoder,
                                  const struct plan_image *image,
                                  uint64_t vaddr,
                                  const struct plan_resolver *resolver,
                                  void *scratch, uint32_t *steps_left,
                                  struct plan_reason *reason);
