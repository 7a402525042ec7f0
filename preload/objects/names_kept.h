/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pass over an object's symbols found of a set of names, kept for the
 * processes to come (kept.h). [constructor, loader's notification]
 */
#pragma once
#include "preload/objects/kept.h"

/* One symbol, found under the name that is number `wanted` of its set. */
struct names_kept {
    uint32_t wanted;
    struct plan_symbol symbol;
};

/* Of this object and a set of names (`set`: a sum of it); false: nothing can be
 * kept. */
HIDDEN bool names_kept_identify(const struct module *module, uint64_t set,
                                struct kept_identity *out);
/* Calls `each` for what is kept, in order. False: nothing is. */
HIDDEN bool
names_kept_each(const struct module *module, const struct kept_identity *of,
                void (*each)(void *context, const struct names_kept *found),
                void *context);
/* Keep what was found: `count` times get(context, i). */
HIDDEN void names_kept_store(
    struct module *module, const struct kept_identity *of, uint32_t count,
    struct names_kept (*get)(void *context, uint32_t i), void *context);
