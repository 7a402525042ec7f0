/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How calls of a function are seen, by which trampoline, and what is said of
 * it: decided once, for the preload and for `handspan check`. An entry patch,
 * else call slots; F where the planner proves that the function has no stack
 * arguments, Z everywhere else and where the proof would take too long.
 *
 * In this order: plan_entry_patch() of the caller, bind_is_reachable(),
 * bind_choose_carrier(). Pure.
 */
#pragma once
#include "manifest/manifest.h"
#include "shim/plan/plan.h"

/* What differs between a process and files. */
struct bind_means {
    const struct plan_decoder *decoder; /* NULL: none, nothing is proved */
    void *scratch;                      /* plan_scratch_bytes() */
    struct plan_resolver resolver;
    uint32_t *steps_left; /* of the proofs of a round */
    /* plan_image_collector() of the first object that has one, or NULL */
    const char *(*collector)(void *context);
    void *context;
};

enum bind_carrier {
    BIND_REFUSED, /* neither may carry it */
    BIND_FRAME,
    BIND_ZERO_COPY,
};
struct bind_choice {
    enum bind_carrier carrier;
    uint32_t copy_words; /* F copies so many of its stack arguments */
    const char *why[2];  /* BIND_REFUSED: one phrase, in two parts */
    bool is_cut;         /* the proof was not made, or not to its end */
};

/* Is there a mechanism, once the entry was planned? `has_patch`: its entry can
 * be patched; else the verdict says why not. */
bool bind_is_reachable(bool has_patch, enum plan_verdict verdict,
                       bool may_use_slots);
void bind_choose_carrier(const struct bind_means *means,
                         const struct plan_image *image, uint64_t vaddr,
                         struct bind_choice *out);

/* ---- what is said ------------------------------------------------------- */

/* Why an entry is not patched: "a branch leads into its first bytes, from
 * 0x2b5a5", into out, terminated, cut off where it does not fit. Returns its
 * length. */
size_t bind_verdict_text(const struct plan_patch *patch, char *out,
                         size_t cap_bytes);
/* Why the prototype is not that of the function `symbol` at `vaddr`: nothing
 * of it may be read, not even its result. NULL: it is. */
const char *bind_other_text(const struct manifest_decl *decl,
                            const struct plan_image *image,
                            const char *object_basename, const char *symbol,
                            uint64_t vaddr);
/* Why a bound function has no values though its declaration has a prototype;
 * "": it has them. Returns its length. */
size_t bind_values_text(const struct manifest_decl *decl,
                        const struct plan_image *image,
                        const char *object_basename, const char *symbol,
                        uint64_t vaddr, char *out, size_t cap_bytes);
/* How each of those ends. */
extern const char bind_times_only[];
/* Of slots: what they see; that there are none. */
extern const char bind_slots_text[];
extern const char bind_no_slots_text[];
/* "traced by the declaration in line 12". Returns its length. */
size_t bind_twice_text(uint32_t line, char *out, size_t cap_bytes);
extern const char bind_twice[]; /* how that begins */
