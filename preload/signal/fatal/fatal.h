/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fatal signals: noting which one ended the process, and where.
 */
#pragma once
#include <ucontext.h>
#include "lane/format/error_frames.h"
#include "preload/call/record/runtime.h"

/* Install handlers where the disposition is SIG_DFL. After the handlers of
 * the manifest are bound, text open. [constructor] */
HIDDEN void fatal_watch(void);
/* Ours away again, where they still stand. [signal-safe] */
HIDDEN void fatal_retire(void);

/* From now on they run on the thread's own stack, those of SIGTRAP too.
 * [signal-safe] */
HIDDEN void fatal_leave_altstack(void);

/* Does this signal end a process by default? [signal-safe] */
HIDDEN bool fatal_is_one(int signal);
/* The thread is about to send itself this one, with `mask` blocked. If it would
 * come to a handler of ours at once, note what that one would, and let it find
 * SIG_DFL. [all signals blocked; signal-safe] */
HIDDEN void fatal_raised(int signal, uint64_t mask,
                         const uint64_t registers[LANE_STACK_REGISTERS]);

/* No instruction where a breakpoint of others made a thread go on amid a jump
 * of ours (bind_patched.h): `registers` lead on, and the signal is none.
 * [signal-safe] */
HIDDEN bool fatal_is_amid_jump(int signal, greg_t *registers);
/* A look of ours at the counter, which the program has forbidden itself
 * (PR_SET_TSC): it is taken here, `registers` lead on. [signal-safe] */
HIDDEN bool fatal_is_counter(int signal, greg_t *registers);
/* Somebody was there before. */
extern HIDDEN bool fatal_counter_forbidden;

/* gregs of a ucontext in DWARF's order. */
HIDDEN void fatal_registers(const greg_t *from,
                            uint64_t to[LANE_STACK_REGISTERS]);
