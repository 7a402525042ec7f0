/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries of Z: where the true return address and rbp of a frame wait. Shared
 * by trampoline.S, entries.c and personality.c.
 */
#pragma once
#include "shim/shim.h"
#include "shim/x86_64/layout.h"

struct shim_entry {
    struct shim_call call;
    uint64_t rbp, ra;        /* the caller's; named by the CFI of the frame */
    uint64_t busy;           /* 1: has a frame; the claim of whoever takes it */
    struct shim_entry *next; /* in the ring of its cache */
    struct shim_cache *home; /* its cache, for ever */
    uint64_t resume; /* _Unwind_Resume of the unwinder that passes through */
    struct shim_entry *left; /* in the queue of those whose frame a longjmp
                                took away; the last one names itself */
};
_Static_assert(sizeof(struct shim_entry) == ENTRY_SIZE, "layout.h");
_Static_assert(offsetof(struct shim_entry, rbp) == ENTRY_RBP, "layout.h");
_Static_assert(offsetof(struct shim_entry, ra) == ENTRY_RA, "layout.h");
_Static_assert(offsetof(struct shim_entry, next) == ENTRY_NEXT, "layout.h");
_Static_assert(offsetof(struct shim_entry, busy) == ENTRY_BUSY, "layout.h");
_Static_assert(offsetof(struct shim_entry, home) == ENTRY_HOME, "layout.h");
_Static_assert(offsetof(struct shim_entry, resume) == ENTRY_RESUME, "layout.h");
_Static_assert(sizeof(struct shim_call) == CALL_SIZE, "layout.h");
_Static_assert(offsetof(struct shim_call, site) == CALL_SITE, "layout.h");
_Static_assert(offsetof(struct shim_call, sp) == CALL_SP, "layout.h");
_Static_assert(offsetof(struct shim_call, target) == CALL_TARGET, "layout.h");
_Static_assert(offsetof(struct shim_call, lane) == CALL_LANE, "layout.h");
_Static_assert(offsetof(struct shim_call, flags) == CALL_FLAGS, "layout.h");
_Static_assert(offsetof(struct shim_call, args) == CALL_ARGS, "layout.h");
_Static_assert(sizeof(struct shim_regs) == REGS_SIZE, "layout.h");
_Static_assert(offsetof(struct shim_regs, rdx) == REGS_RDX, "layout.h");
_Static_assert(offsetof(struct shim_regs, r11) == REGS_R11, "layout.h");
_Static_assert(SHIM_CALL_ZERO_COPY == FLAG_ZERO_COPY, "layout.h");
_Static_assert(SHIM_CALL_TAIL == FLAG_TAIL, "layout.h");
_Static_assert(SHIM_CALL_LOST == FLAG_LOST, "layout.h");
_Static_assert(SHIM_CALL_ARGS == FLAG_ARGS, "layout.h");
_Static_assert(SHIM_CALL_CALLER == FLAG_CALLER, "layout.h");
_Static_assert(SHIM_FRAME_STRIDE == FRAME_STRIDE, "layout.h");
_Static_assert(SHIM_COPY_STRIDE == COPY_STRIDE, "layout.h");
_Static_assert(SHIM_COPY_MARK == COPY_MARK, "layout.h");
_Static_assert((COPY_STRIDE - FRAME_STRIDE) / 8 == SHIM_COPY_WORDS_MAX, "fits");
_Static_assert(SHIM_NEAR_END == NEAR_END, "layout.h");

#define SHIM_HIDDEN __attribute__((visibility("hidden")))

/* The entries of one lane: a ring. `hint` is the one to try first: the last
 * that was given back, or the one after the last that was taken. */
struct shim_cache {
    _Alignas(64) struct shim_entry *hint;
    struct shim_entry *left_first, *left_last; /* see entries.c */
    uint64_t left_count;
    uint64_t left_busy; /* stack pointer of who changes that queue; 0: nobody */
};

/* This thread's cache; NULL: none, it shares one. Read by trampoline.S. */
extern SHIM_HIDDEN __thread struct shim_cache *shim_cache
    __attribute__((tls_model("initial-exec")));

/* Return addresses of callers that are known, each at its own place or not at
 * all. Read by trampoline.S. */
extern SHIM_HIDDEN uint64_t shim_callers[CALLERS];

/* Words of stack arguments of each site. Read by trampoline.S. */
extern SHIM_HIDDEN uint8_t shim_copy_words[SHIM_SITE_MAX];

/* When the hint is of no use. General registers only; called by trampoline.S
 * with the program's vector registers live. NULL: none left. [signal-safe] */
SHIM_HIDDEN struct shim_entry *shim_entry_take(void);
SHIM_HIDDEN void shim_entry_give(struct shim_entry *entry);

/* The end of a free stack of ours, aligned to 64, with signals blocked; NULL:
 * the caller stays where it is (there is none, or it stands on one). Given back
 * by the same thread. stacks.c; called by slow.S. [signal-safe] */
SHIM_HIDDEN uint8_t *shim_stack_take(void);
SHIM_HIDDEN void shim_stack_give(const uint8_t *end);
/* The end of these inaccessible pages is for stacks: how many bytes of it, in
 * whole batches; 0: there is too little. [constructor] */
enum {
    SHIM_BATCH_BYTES = 64 * 1024
};
SHIM_HIDDEN uint64_t shim_stacks_reserve(uint8_t *low, uint64_t len_bytes);

/* What xsavec is told to save, how many bytes it needs, and how to save:
 * enum shim_xsave. Read by slow.S. */
enum shim_xsave {
    SHIM_FXSAVE = 0,
    SHIM_XSAVE = 1,
    SHIM_XSAVEC = 2,
};
extern SHIM_HIDDEN uint64_t shim_xsave_bytes;
extern SHIM_HIDDEN uint32_t shim_xsave_mask;
extern SHIM_HIDDEN uint32_t shim_xsave_kind;

/* Labels in stubs.S and trampoline.S; text, never called as C functions. */
extern SHIM_HIDDEN const char shim_stubs_frame[], shim_stubs_copy[];
extern SHIM_HIDDEN const char shim_stubs_zero[];
extern SHIM_HIDDEN const char shim_frame_return[], shim_zero_return[];
extern SHIM_HIDDEN const char shim_zero_pad[];
