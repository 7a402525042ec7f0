/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that locks itself in: a seccomp filter may kill it for any syscall
 * that is ours and not its own. It is heard through prctl() and syscall(). No
 * new privileges alone forbid no system call: nothing changes by them. A
 * program that installs a filter by an instruction of its own is not heard.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* From now on this process makes no syscall of ours: no memory is read through
 * the kernel, CPU times are unknown, lanes grow by what the sidecar lays
 * ready, threads that come now are counted as lost, its end is known from
 * outside alone. Not undone. [signal-safe] */
HIDDEN void sandbox_start(void);
extern HIDDEN bool sandboxed;
