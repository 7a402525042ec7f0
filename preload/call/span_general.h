/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enter and leave in general, where a call is not plain: a thread without a
 * lane or in a forked child, recording switched off, tail calls, fibers, calls
 * deeper than there are entries, sites of our own, pairs and work items,
 * exceptions, a clock that is not rdtsc.
 *
 * Called by span.c, never inlined into it. As span_enter(): any thread,
 * signal-safe, general registers only, errno is not touched.
 */
#pragma once
#include "preload/call/record/span.h"

/* All of entering a call of `site`; call->target is set already. Where no leave
 * is wanted, call->flags says so. */
HIDDEN void span_enter_general(struct shim_call *call, const struct site *site);
/* All of leaving a call, which ended as `end` says; `exception`: the one that
 * passes, or NULL. `tick`: when, if the session's clock is rdtsc. */
HIDDEN void span_leave_general(struct shim_call *call,
                               const struct shim_regs *regs, enum shim_end end,
                               void *exception, uint64_t tick);
/* What the site says of the result of a call that returned: writes the frames
 * of outputs and error, sets status and capture bits of its record. */
HIDDEN void span_leave_captures(struct lane *lane, const struct shim_call *call,
                                const struct shim_regs *regs,
                                struct lane_record *record);
