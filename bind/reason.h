/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a declaration is bound to nothing, in the words of check and run alike;
 * and which refusals leave no way at all. Pure.
 */
#pragma once
#include "manifest/manifest.h"
#include "shim/plan/plan.h"

/* What is known of a declaration that no function was found for, or more than
 * are traced. */
struct bind_facts {
    uint32_t objects;    /* that its scope covers */
    const char *one;     /* basename of the object, if it is one */
    bool is_stripped;    /* that one has no full symbols, nor a debug file */
    bool is_other_build; /* it would cover one, but for its build id */
    uint32_t matches, match_max;
    bool has_demangler;
};
/* A phrase into `out`, always terminated, cut off where it does not fit.
 * Returns its length. */
size_t bind_reason_none(const struct manifest_decl *decl,
                        const struct bind_facts *facts, char *out,
                        size_t cap_bytes);
/* How that begins where no object of a scope was loaded, ... */
extern const char bind_no_object[];
/* ... and where no function of its name is in those that were. */
extern const char bind_no_symbol[];
/* What stands amid that where not all functions of a glob are traced. */
extern const char bind_too_many[];

/* Why this function of several that a declaration means has other parameters
 * than its prototype: times only. NULL: it has not. `image` may be NULL. */
const char *bind_reason_other(const struct manifest_decl *decl,
                              const struct plan_image *image,
                              const char *object_basename, const char *symbol,
                              uint64_t vaddr);

/* What is said of a function that is bound without making spans. */
extern const char bind_no_spans[];

/* Calls of such a function are not to be intercepted by any mechanism. */
bool bind_is_hopeless(enum plan_verdict verdict);
