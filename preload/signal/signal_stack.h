/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks of ours for work in signal handlers: the one that the program gives
 * them may be what the kernel's own frame takes and nothing more.
 *
 * While a handler stands on one of these the kernel takes the program's
 * alternate stack for free, and would begin the next handler over the frame of
 * this one: all signals are blocked for so long.
 */
#pragma once
#include <signal.h>
#include "preload/call/record/runtime.h"

enum {
    SIGNAL_STACKS = 4,              /* at once; x86_64/signal_entry.S: STACKS */
    SIGNAL_STACK_BYTES = 16 * 1024, /* the same: STACK_SHIFT */
};

/* The end of a free one, aligned to 64; NULL: there is none. Given back by the
 * same. [all signals blocked; signal-safe] */
HIDDEN uint8_t *signal_stack_take(void);
HIDDEN void signal_stack_give(const uint8_t *end);

/* Run fn(argument) on one of them, or on the one of them that the caller
 * already stands on; false: more threads do that than there are stacks.
 * [all signals blocked, or in a handler whose end ends the process;
 * signal-safe] */
HIDDEN bool signal_stack_run(void (*fn)(void *argument), void *argument);

/* The same for a hook that runs in between on the program's stack: all signals
 * are blocked for so long, and fn must not fault. Where that is not to be had,
 * fn runs on the program's stack. [signal-safe] */
HIDDEN void signal_stack_call(void (*fn)(void *argument), void *argument);

/* SA_ONSTACK if handlers of ours may ask for the alternate stack, 0 once a
 * thread has set one that is too small (altstack.c). [signal-safe] */
HIDDEN int altstack_flag(void);
/* It has. [signal-safe] */
HIDDEN void altstack_note_small(void);

/* May the entries of x86_64/signal_entry.S leave the program's stack? It takes
 * a system call: not where a filter may kill for it. */
extern HIDDEN bool signal_may_switch;

/*
 * What the kernel calls for a signal that is fatal by default: on a stack of
 * ours, with nothing put on the program's, on_fatal() of fatal.c.
 */
HIDDEN void signal_fatal_entry(int signal, siginfo_t *info, void *context);
