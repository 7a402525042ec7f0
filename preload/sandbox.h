/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that locks itself in: a seccomp filter may kill it for any syscall
 * that is ours and not its own. What must come first is heard: a prctl() for
 * the filter, or for no_new_privs, without which only a privileged process may
 * install one by the raw syscall.
 */
#pragma once
#include "preload/runtime.h"

/* From now on this process makes no syscall of ours: no memory is read through
 * the kernel, CPU times are unknown, lanes grow by what the sidecar lays
 * ready, threads that come now are counted as lost, its end is known from
 * outside alone. Not undone. [signal-safe] */
HIDDEN void sandbox_start(void);
extern HIDDEN bool sandboxed;
