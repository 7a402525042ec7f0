/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which process this is, for whoever runs in it: see process_self.c.
 */
#pragma once
#include <stdbool.h>
#include "preload/call/record/runtime.h"

/* This process's entry; NULL: it has none. */
HIDDEN struct lane_process *process_entry(void);

/* Is this a child of vfork or posix_spawn, which runs in its parent's memory?
 * What it changes of ours would be its parent's. One syscall; true as well
 * where none may be made (sandbox.h). */
HIDDEN bool process_is_guest(void);

/* Whose memory is ours, as the kernel calls it. A forked child that did not
 * register itself yet (by a raw clone, or before its first call) still has its
 * parent's number in runtime.pid: what is read by that is the parent's. */
HIDDEN uint32_t process_self(void);
