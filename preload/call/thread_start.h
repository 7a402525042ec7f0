/* SPDX-License-Identifier: Apache-2.0 */
/* A new thread starts with its creator's context. */
#pragma once
#include "preload/call/record/span.h"

/* Hooks of an internal site on pthread_create, where thrd_create, std::thread
 * and OpenMP end, too. `enter` hands the thread a box with what it is to run
 * and the creator's place, `leave` takes the box back if there is no thread.
 * Without the site threads start below their process. */
/* Where libc's own code lies: a thread that runs it belongs to nobody.
 * [constructor] */
HIDDEN void thread_start_libc(uint64_t low, uint64_t high);
HIDDEN void thread_start_enter(struct shim_call *call);
HIDDEN void thread_start_leave(struct shim_call *call,
                               const struct shim_regs *regs);
