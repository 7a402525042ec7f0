/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From declarations to sites: find each function that the manifest names,
 * decide how calls of it are seen and by which trampoline, and change text or
 * slots. In the constructor for the objects that are there, and under the
 * loader's lock for those that come later.
 */
#pragma once
#include "preload/modules.h"

/* What binding needs, also that of hooks. [constructor] */
HIDDEN void bind_prepare(void);
/* Everything that is loaded. [constructor] Also says in the session what could
 * not be bound, and why. */
HIDDEN void bind_start(void);
/* What was loaded since; forget what was unloaded. Not `may_bind`: only take
 * note of it, never to be bound later. [loader's lock held] */
HIDDEN void bind_loaded(bool may_bind);
/*
 * A site of our own on a function of libc, by entry patch only: `enter` and
 * `leave` (each may be NULL) run instead of a span. 0 or -errno; the program
 * never notices a failure. [constructor]
 */
HIDDEN int bind_internal(const char *symbol,
                         void (*enter)(struct shim_call *call),
                         void (*leave)(struct shim_call *call,
                                       const struct shim_regs *regs));
/* The same on a function of any object. Without `leave` it is carried by a
 * jump: its stack arguments stay in place. */
HIDDEN int bind_internal_at(struct module *module, const char *symbol,
                            uint64_t vaddr,
                            void (*enter)(struct shim_call *call),
                            void (*leave)(struct shim_call *call,
                                          const struct shim_regs *regs));
/* The process ends: say which entries somebody changed since they were. */
HIDDEN void bind_end(void);
/* Number of sites that stand on a function. */
HIDDEN uint32_t bind_count(void);
