/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sites of our own: functions of libc and others that are watched.
 */
#pragma once
#include "preload/objects/modules.h"

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
