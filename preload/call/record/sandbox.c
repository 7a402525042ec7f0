/* SPDX-License-Identifier: Apache-2.0 */
/* See sandbox.h. */
#include "preload/call/record/sandbox.h"
#include "preload/call/record/cpu.h"
#include "preload/call/memory/read.h"

bool sandboxed;

void sandbox_start(void)
{
    if (runtime.map.session == NULL)
        return;
    read_forbid_syscalls();
    cpu_forbid_syscalls();
    lane_forbid_syscalls();
    shim_stacks_forbid();
    shim_entries_forbid();
    __atomic_store_n(&sandboxed, true, __ATOMIC_RELAXED);
}
