/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fatal signals for which the program has a handler of its own: where they
 * came is noted before that handler runs. It, its flags, its mask and its
 * stack are the program's; the kernel is given another address, and the
 * program sees its own.
 */
#pragma once
#include <signal.h>
#include "preload/call/record/runtime.h"
#include "shim/shim.h"

/* Part of the hooks of sigaction() (fatal.c), for signals that are fatal by
 * default. Enter: give the kernel ours; `by_default` stands for SIG_DFL. True:
 * what it gets repairs our copies (read_pages.h). Leave: tell the program its
 * own, SIG_DFL for `by_default`. [signal-safe] */
HIDDEN bool handled_enter(struct shim_call *call,
                          void (*by_default)(int, siginfo_t *, void *));
HIDDEN void handled_leave(struct shim_call *call, const struct shim_regs *regs,
                          void (*by_default)(int, siginfo_t *, void *));
/* Is that an entry of ours for a handler of the program, which stands there as
 * well after it was called? [signal-safe] */
HIDDEN bool handled_repairs(uint64_t entry, uint64_t flags);
/* What stands for SIG_DFL has these flags other than the kernel was given:
 * told to the program as it set them. [signal-safe] */
HIDDEN void handled_toggle_default(int signal, int flags);
