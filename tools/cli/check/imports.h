/* SPDX-License-Identifier: Apache-2.0 */
/* Which object serves an import of a program when it starts, as the loader
 * searches; from the files alone. */
#pragma once
#include "tools/cli/program/objects.h"

/* Nothing is resolved when it is bound: the first of the objects is one that
 * others load. */
bool imports_are_later(const struct objects *objects);
/* A resolver of plan.h; `context`: the struct objects, only read. The slot
 * leads to the first object that exports the name in its version; of an ifunc
 * to what it chose in this process (chosen.h). -ENOENT: to none, to an ifunc of
 * an object that is not here, or not before its first call. */
int imports_resolve(void *context, const struct plan_image *image,
                    uint64_t slot_vaddr, const struct plan_image **target,
                    uint64_t *target_vaddr);
/* Does any object but the loader call the name through a slot? */
bool imports_have(const struct objects *objects, const char *name);
