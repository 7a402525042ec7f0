/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fatal signals: noting which one ended the process, and where.
 */
#pragma once
#include <ucontext.h>
#include "lane/error_frames.h"
#include "preload/runtime.h"

/* Install handlers where the disposition is SIG_DFL. After the handlers of
 * the manifest are bound, text open. [constructor] */
HIDDEN void fatal_watch(void);
/* Ours away again, where they still stand. [signal-safe] */
HIDDEN void fatal_retire(void);

/* Run fn(argument) on a stack of ours, the program's may be tiny; false: more
 * threads do that than there are stacks. [signal-safe] */
HIDDEN bool fatal_run(void (*fn)(void *argument), void *argument);
/* gregs of a ucontext in DWARF's order. */
HIDDEN void fatal_registers(const greg_t *from,
                            uint64_t to[LANE_STACK_REGISTERS]);
