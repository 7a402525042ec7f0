/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This process's entry in the session; span.h has what others call.
 */
#pragma once
#include "preload/call/record/process_self.h"
#include "preload/call/record/span.h"

/* In a forked child, *runtime.alive taken: get an entry below the parent's and
 * set *runtime.alive to its number. Without entry: lost_processes, and its
 * calls are only counted. */
HIDDEN void process_register_child(void);

/* The entry's t0 is another time, and so much CPU was used by then.
 * [constructor] */
HIDDEN void process_cpu_from(uint64_t before_ns);

/* The exec that process_mark_end() told of failed. The entry is there.
 * [signal-safe] */
HIDDEN void process_goes_on(void);

/* Field 22 of /proc/self/stat; 0: no /proc. Three syscalls. [signal-safe] */
HIDDEN uint64_t process_start_time(void);

/* Hooks of an internal site on fork: the child's parent is the span that was
 * open there. Without them its parent is the parent's process span. */
HIDDEN void process_fork_enter(struct shim_call *call);
HIDDEN void process_fork_leave(struct shim_call *call,
                               const struct shim_regs *regs);
