/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alternate signal stacks of the program that are smaller than what the kernel
 * puts there for a handler (vector state of AVX-512: 3.4 KB; the kernel takes
 * stacks of 2 KB). A signal whose handler has no room there becomes SIGSEGV:
 * where the program has no handler, none of ours may be in its way.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* Watch sigaltstack(), raise() and pthread_kill(). Before the handlers of
 * fatal.c are installed. [constructor] */
HIDDEN void altstack_watch(void);
