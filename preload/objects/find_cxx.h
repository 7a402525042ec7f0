/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All names of a round as people read them (C++, Rust), looked up together:
 * one pass over the symbols of an object reads those that have an identifier
 * of a wanted name, and each once. A round's memory, given back at its end.
 */
#pragma once
#include "preload/objects/modules.h"

/* A round begins: `count` names at most will be added. */
HIDDEN void cxx_begin(uint32_t count);
/* The text must last as long as the round. */
HIDDEN void cxx_add(const char *readable);
HIDDEN void cxx_end(void);
/* `each` for every function of the module that an added name means, in the
 * order of its symbol tables; non-zero from it stops, and is returned. */
HIDDEN int cxx_each(struct module *module, const char *readable,
                    int (*each)(void *context,
                                const struct plan_symbol *symbol),
                    void *context) __attribute__((warn_unused_result));
/* The same for every function whose readable name matches a glob. Reads all
 * names that may, each time. */
HIDDEN int cxx_each_matching(struct module *module, const char *glob,
                             int (*each)(void *context,
                                         const struct plan_symbol *symbol),
                             void *context) __attribute__((warn_unused_result));
