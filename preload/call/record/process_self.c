/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose memory this is: the process's number and entry, asked on the path of a
 * call and in signal handlers. Raw syscalls: errno stays.
 */
#define _GNU_SOURCE
#include "preload/call/record/process_self.h"

#include <sys/syscall.h>

#include "lane/format/assert.h"
#include "lane/x86_64/machine.h"
#include "preload/call/record/sandbox.h"

struct lane_process *process_entry(void)
{
    lane_assert(runtime.map.session != NULL);
    if (runtime.map.session == NULL || runtime.process == PROCESS_UNKNOWN)
        return NULL;
    return &runtime.map.processes[LANE_PROCESS_SLOT(runtime.process)];
}

bool process_is_guest(void)
{
    if (sandboxed)
        return true; /* it may not be asked: nothing is changed */
    /* in a forked child the kernel has cleared *runtime.alive */
    return *runtime.alive != 0 &&
           (uint32_t)machine_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0) !=
               runtime.pid;
}

uint32_t process_self(void)
{
    return sandboxed || (runtime.alive != NULL && *runtime.alive != 0)
               ? runtime.pid
               : (uint32_t)machine_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
}
