/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All plain names of a round, looked up together: one pass over the .symtab
 * of an object finds the static functions of every declaration, and later
 * questions are answered from what it found. Ten thousand declarations then
 * cost as much as one. A round's memory, given back at its end.
 */
#pragma once
#include "preload/objects/modules.h"

/* A round begins: `count` names at most will be added. No memory: every
 * question costs a pass of its own. */
HIDDEN void names_begin(uint32_t count);
HIDDEN void names_add(const char *name);
HIDDEN void names_end(void);
/*
 * plan_image_each_in_file() for symbols of that name or that name, a dot and
 * more. Same order, same result.
 */
HIDDEN int names_each(struct module *module, const char *name,
                      int (*each)(void *context,
                                  const struct plan_symbol *symbol,
                                  const char *file),
                      void *context) __attribute__((warn_unused_result));
