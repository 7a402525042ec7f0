/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state that the parts of the preload share, of the process (runtime.h)
 * and of each thread (span.h), in a file of its own: whoever needs the state
 * does not need who opens spans.
 */
#include "preload/call/record/span_internal.h"

struct runtime runtime;
struct span_process span_process;
__thread struct span_thread span_thread;
