/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening text for a batch of writes (shim_text_open) at the different times
 * of a process. Where /proc/self/mem is refused, pages are made writable for a
 * moment, if no thread can stand in them. Closed by shim_text_close().
 */
#pragma once
#include "preload/call/record/runtime.h"

/* In the constructor: there is one thread. 0 or -errno. */
HIDDEN int bind_text_open_alone(void) __attribute__((warn_unused_result));
/* Later, under bind_lock(): for entries of objects that the loader just mapped
 * (`is_fresh`), which nobody runs yet, or, where the process has one thread,
 * for any. 0 or -errno: nothing can be written. */
HIDDEN int bind_text_open(bool is_fresh) __attribute__((warn_unused_result));
