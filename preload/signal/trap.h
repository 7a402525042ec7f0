/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGTRAP, once text is patched while threads run (shim/live.h): threads that
 * stood in the bytes of a jump trap and are sent on.
 */
#pragma once
#include "preload/call/record/runtime.h"

/*
 * May text be patched now, with `mask` blocked in this thread and
 * `boundaries` places among its bytes where a thread may stand? Installs the
 * handler. NULL, or the reason against it. [bind_lock held]
 */
HIDDEN const char *trap_prepare(uint64_t mask);
/* How many threads there are; 0: not to be known. */
HIDDEN uint32_t trap_thread_count(void);

/* The program's sigaction() of SIGTRAP: it is ours that the kernel gets, and
 * the program is told its own. The hooks of that site (fatal.c). */
HIDDEN void trap_enter_sigaction(struct shim_call *call);
HIDDEN void trap_leave_sigaction(struct shim_call *call,
                                 const struct shim_regs *regs);
/* From now on no handler of ours asks for the alternate stack. */
HIDDEN void trap_leave_altstack(void);
