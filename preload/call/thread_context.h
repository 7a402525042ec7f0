/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For profilers and debuggers: which span each thread is in, in the form of
 * OpenTelemetry's thread context (OTEP 4947) and process context (OTEP 4719).
 * Off unless HANDSPAN_THREAD_CONTEXT says otherwise; then no call knows of it.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* Where this thread's pointer to its record stands from the thread pointer:
 * the same in every thread. */
HIDDEN int64_t thread_context_offset(void);
/* From now on each enter and leave publishes. Before the first stub can be
 * reached, after shim_enter and shim_leave were set. */
HIDDEN void thread_context_begin(void);
/* The mapping that says what is published. 0 or -errno. */
HIDDEN int thread_context_announce(void) __attribute__((warn_unused_result));

/* If the environment asks for it. [constructor, the session is there] */
HIDDEN void thread_context_start(void);
