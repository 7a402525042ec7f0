/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a manifest leaves to the debug information, as text that the manifest's
 * parser reads (struct manifest_types): records with every member where the
 * compiler put it, enums, typedefs, and prototypes as the machine passes them.
 * Only what is asked for is written, and what that contains by value.
 */
#pragma once
#include "tools/dwarf/debug.h"

struct debug_types;

/* NULL: no memory. */
struct debug_types *debug_types_new(void);
void debug_types_free(struct debug_types *t);
/* Look into this object, too. */
int debug_types_add_object(struct debug_types *t, const char *path)
    __attribute__((warn_unused_result));
/* Asked twice is asked once. */
void debug_types_want_type(struct debug_types *t, const char *name);
void debug_types_want_constant(struct debug_types *t, const char *name);
/* One of the functions that are called `name`: at `vaddr` of an object that was
 * added. */
struct debug_types_function {
    const char *object;
    uint64_t vaddr;
    const char *name;
    const char *symbol;        /* to bind it by, or NULL */
    const char *const *params; /* replace the names of its parameters but
                                  `this` (NULL entries: as they are) */
    size_t param_count;
    bool is_symbol_enough; /* to be told where nothing is known but that */
    bool is_result_unsure; /* nobody outside can call it, so a compiler may have
                              left its result away without a word */
};
void debug_types_want_function(struct debug_types *t,
                               const struct debug_types_function *f);
/* Answer what is new. 1: something was added to the text, 0: nothing was;
 * -ENOMEM. What cannot be read counts as not there. */
int debug_types_find(struct debug_types *t) __attribute__((warn_unused_result));
/* All of it so far. */
const char *debug_types_text(const struct debug_types *t);
/* One line each: what is not told, and why; "" if nothing. */
const char *debug_types_remarks(const struct debug_types *t);
/* Does the object have debug information, of its own build? */
bool debug_types_has(struct debug_types *t, const char *object);
