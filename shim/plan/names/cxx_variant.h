/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compilers make several functions of one constructor or destructor: C2 and D2
 * for a base, C1 and D1 for a whole object, D0 for `delete`; gcc may make one
 * of all (C4, D4), which is local. Shared by the preload and `check`.
 */
#pragma once
#include "shim/plan/image/image.h"

/* Does this one pass each of its calls on to another that stands in the same
 * object? Then that one is the function, and a call is one call.
 * `is_local_meant`: a local one may be it. */
bool variant_passes_on(const struct plan_image *image,
                       const struct plan_symbol *symbol, bool is_local_meant);

/*
 * Does it get parameters behind `this` that the source does not have? The
 * variant for a base (C2, D2) of a class with virtual bases gets their table
 * (Itanium C++ ABI 2.6.2), the one that gcc makes of all (C4, D4) also a flag.
 * Whether a class has such bases is not in a function's name: clang drops the
 * symbol of the table.
 */
enum variant_hidden {
    VARIANT_PLAIN,
    VARIANT_HIDDEN,
    VARIANT_UNKNOWN,
};
enum variant_hidden variant_hidden(const struct plan_image *image,
                                   const char *name, uint64_t vaddr);
