/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A symbol in the dynamic symbol table of a loaded object, without dlsym:
 * that one allocates, and does not see objects that are private to others.
 */
#pragma once
#include <elf.h>
#include <stdint.h>

/* Address of the defined symbol `name` in the object that `code` lies in, or,
 * if `code` is 0, in the first object that has one. 0: not there.
 * [any thread; takes the loader's lock] */
__attribute__((visibility("hidden"))) uintptr_t shim_lookup(uintptr_t code,
                                                            const char *name);

/* The same in one object, of which these are load address and dynamic section.
 * 0: not there. [any thread; no lock, the object must stay] */
__attribute__((visibility("hidden"))) uintptr_t
shim_lookup_in(uintptr_t base, const Elf64_Dyn *dynamic, const char *name);
