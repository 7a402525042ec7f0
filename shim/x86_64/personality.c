/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens when an exception or a forced unwind (pthread_cancel,
 * pthread_exit) passes a traced call: the span is closed, and Z's frame is
 * taken down.
 *
 * It acts in the cleanup phase only, and only when the frame stands at one of
 * our two return labels: at any other place of the trampolines our own C code
 * is on the stack, and that does not throw.
 *
 *  F: rbp is the frame; nothing to undo, unwinding goes on.
 *  Z: rbp is the entry. The unwinder holds pointers to the saved rbp and
 *     return address in it, so it cannot be freed here; and its CFA is the same
 *     as the handler's, by which libgcc knows frames: it may take ours for the
 *     one with the handler (_UA_HANDLER_FRAME). So Z always lands: on a pad
 *     that puts a plain frame on the stack, frees the entry and resumes.
 *
 * Runs on the throwing thread, as a normal C function (vector registers are
 * free), with whatever locks the unwinder has.
 */
#include "shim/x86_64/entry.h"
#include "shim/x86_64/unwinder.h"

enum {
    UNWINDERS = 4, /* known at once; more are looked up each time */
    DWARF_RAX = 0,
    DWARF_RBP = 6,
};

/* The unwinders seen so far, by the address that called us. */
static struct known {
    uintptr_t caller; /* 0: free; stored last (release) */
    struct unwinder unwinder;
} known[UNWINDERS];
static uint32_t known_next;

/* There is no return value. */
static const struct shim_regs no_regs;

static bool find_unwinder(uintptr_t caller, struct unwinder *out)
{
    for (int i = 0; i < UNWINDERS; i++) {
        /* pairs with the release below */
        if (__atomic_load_n(&known[i].caller, __ATOMIC_ACQUIRE) == caller) {
            *out = known[i].unwinder;
            return true;
        }
    }
    if (unwinder_find(caller, out) != 0)
        return false;
    uint32_t i = __atomic_fetch_add(&known_next, 1, __ATOMIC_RELAXED);
    if (i < UNWINDERS) {
        known[i].unwinder = *out;
        /* release; pairs with the acquire above */
        __atomic_store_n(&known[i].caller, caller, __ATOMIC_RELEASE);
    }
    return true;
}

static _Unwind_Reason_Code leave_zero_copy(struct shim_entry *entry,
                                           const struct unwinder *unwinder,
                                           enum shim_end end,
                                           struct _Unwind_Exception *exception,
                                           struct _Unwind_Context *context)
{
    shim_leave(&entry->call, &no_regs, end, exception);
    entry->resume = unwinder->resume;
    unwinder->set_gr(context, DWARF_RAX, (uintptr_t)exception);
    unwinder->set_ip(context, (uintptr_t)shim_zero_pad);
    return _URC_INSTALL_CONTEXT;
}

SHIM_HIDDEN _Unwind_Reason_Code shim_personality(
    int version, _Unwind_Action actions, _Unwind_Exception_Class class,
    struct _Unwind_Exception *exception, struct _Unwind_Context *context);

_Unwind_Reason_Code shim_personality(int version, _Unwind_Action actions,
                                     _Unwind_Exception_Class class,
                                     struct _Unwind_Exception *exception,
                                     struct _Unwind_Context *context)
{
    struct unwinder unwinder;
    (void)class;
    if (version != 1 || (actions & _UA_CLEANUP_PHASE) == 0)
        return _URC_CONTINUE_UNWIND;
    if (!find_unwinder((uintptr_t)__builtin_return_address(0), &unwinder))
        return _URC_CONTINUE_UNWIND;

    uintptr_t ip = unwinder.get_ip(context);
    uintptr_t rbp = unwinder.get_gr(context, DWARF_RBP);
    enum shim_end end =
        actions & _UA_FORCE_UNWIND ? SHIM_END_CANCEL : SHIM_END_EXCEPTION;
    if (ip == (uintptr_t)shim_zero_return)
        return leave_zero_copy((struct shim_entry *)rbp, &unwinder, end,
                               exception, context);
    if (ip == (uintptr_t)shim_frame_return)
        shim_leave((struct shim_call *)(rbp - CALL_SIZE), &no_regs, end,
                   exception);
    return _URC_CONTINUE_UNWIND;
}
