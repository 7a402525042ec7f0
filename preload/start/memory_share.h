/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory and address space of the process may be ours: an eighth.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* What the session file and the entries of Z may have together, in bytes: an
 * eighth of the smallest of RLIMIT_AS, RLIMIT_DATA, the limits of the memory
 * cgroups that the process is in, and what is free of the tmpfs that `dir_fd`
 * lies on, less what the preload takes in any case. 0: that leaves nothing;
 * UINT64_MAX: nothing is limited. [constructor] */
HIDDEN uint64_t memory_share(int dir_fd);
