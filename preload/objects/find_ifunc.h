/* SPDX-License-Identifier: Apache-2.0 */
/* What the resolver of an ifunc answered. */
#pragma once
#include "preload/objects/modules.h"

/*
 * The implementation (link-time address, in the same object) that the loader
 * wrote into a slot for the ifunc `name` whose resolver is at `vaddr`. False:
 * nobody asked yet (lazy binding), or it is in another object. The resolver
 * is never called by us: it is the program's code.
 */
HIDDEN bool find_ifunc_target(const struct module *module, const char *name,
                              uint64_t vaddr, uint64_t *target);
