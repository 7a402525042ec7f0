/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which functions a declaration means, in one object.
 */
#pragma once
#include "preload/modules.h"

/* A function that was found; `name` points into the object or its file. */
typedef int find_fn(void *context, struct module *module, const char *name,
                    uint64_t vaddr);

/*
 * Call `each` for every function of `module` that `decl` names: by address,
 * exact symbol, glob or its own identifier; with `with_file` also those that
 * only the file's .symtab knows. Returns how many, or what `each` returned if
 * it was negative.
 */
HIDDEN int find_functions(struct module *module,
                          const struct manifest_decl *decl, bool with_file,
                          find_fn *each, void *context);
/* The plain symbol name that it asks for; NULL: it asks otherwise. */
HIDDEN const char *find_exact_name(const struct manifest_decl *decl);
/* The name as people read it (C++, Rust) that it gives; NULL: it asks
 * otherwise. */
HIDDEN const char *find_readable_name(const struct manifest_decl *decl);
