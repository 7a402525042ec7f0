/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See blind.h. The hooks of trampolines are exchanged for ones that touch
 * shared memory only; spans that are open stay so, and the sidecar closes
 * them. Hooks of our own sites go on: they hide our signal handlers.
 */
#include "preload/call/record/blind.h"
#include "preload/call/record/cpu.h"
#include "preload/call/record/span_internal.h"

bool blind;

static void enter_blind(struct shim_call *call)
{
    const struct site *site = &runtime.sites[call->site];
    call->target = site->target;
    if (!(site->flags & SITE_INTERNAL)) {
        __atomic_fetch_add(&runtime.map.session->lost_calls, 1,
                           __ATOMIC_RELAXED);
        return;
    }
    if (site->hook_leave != NULL) {
        call->flags &= ~(uint64_t)SHIM_CALL_TAIL;
        call->flags |= SPAN_HOOK;
    }
    if (site->hook_enter != NULL)
        site->hook_enter(call);
}

static void leave_blind(struct shim_call *call, const struct shim_regs *regs,
                        enum shim_end end, void *exception)
{
    (void)exception;
    if ((call->flags & SPAN_HOOK) && end == SHIM_END_RETURN)
        runtime.sites[call->site].hook_leave(call, regs);
}

void blind_start(void)
{
    if (runtime.map.session == NULL)
        return;
    cpu_forbid_syscalls();
    lane_forbid_syscalls();
    shim_entries_forbid();
    __atomic_store_n(&blind, true, __ATOMIC_RELAXED);
    /* release; pairs with the trampolines' loads: cpu and lane are told */
    __atomic_store_n(&shim_enter, enter_blind, __ATOMIC_RELEASE);
    __atomic_store_n(&shim_leave, leave_blind, __ATOMIC_RELEASE);
}
