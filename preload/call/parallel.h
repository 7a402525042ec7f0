/* SPDX-License-Identifier: Apache-2.0 */
/* OpenMP: a team works for the span that opened its region. */
#pragma once
#include "preload/call/record/span.h"

/* Hooks of internal sites on GOMP_parallel and its kin, whose first arguments
 * are (void (*region)(void *), void *data). */
HIDDEN void parallel_enter(struct shim_call *call);
HIDDEN void parallel_leave(struct shim_call *call,
                           const struct shim_regs *regs);
