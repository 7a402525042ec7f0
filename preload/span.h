/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing spans: the two hooks of the trampolines and their slow
 * paths. span.c is the fast path (general registers only, no call of libc);
 * span_slow.c attaches threads, repairs the stack of open spans after a
 * longjmp, follows forks and closes what other threads opened.
 */
#pragma once
#include "preload/runtime.h"

HIDDEN void span_enter(struct shim_call *call);
HIDDEN void span_leave(struct shim_call *call, const struct shim_regs *regs,
                       enum shim_end end, void *exception);

/* The lane of this thread; NULL until its first traced call. */
extern HIDDEN __thread struct lane *span_lane
    __attribute__((tls_model("initial-exec")));
/* >0 while our own code runs on this thread: hooks then only call through. */
extern HIDDEN __thread uint32_t span_busy
    __attribute__((tls_model("initial-exec")));

/* Get this thread a lane (registers a forked child first). NULL: none to be
 * had; counted. [any thread, signal-safe] */
HIDDEN struct lane *thread_attach(void);
/* The innermost open span of this thread, or its process's span. */
HIDDEN uint64_t span_current(void);
/* Close every open span of this thread with `end` (exit, exec, signal). */
HIDDEN void span_close_all(enum lane_end end);
/* Close all of this process's threads' open spans? No: the sidecar does, from
 * the open entries and the process's marker. */

/* Write the process's end marker (times, CPU, peak memory). Once; later calls
 * do nothing. [signal-safe] */
HIDDEN void process_mark_end(enum lane_marker marker, int code,
                             uint64_t fault_address);
/* First in a process and after a fork: take a process entry. */
HIDDEN int process_register(uint32_t parent, uint64_t parent_ref);
