/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding _Unwind_* in the object that calls us, which may be a private copy
 * of libgcc_s. Runs while an exception is thrown, on the throwing thread.
 */
#include "shim/x86_64/unwinder.h"

#include <errno.h>

#include "shim/lookup.h"

int unwinder_find(uintptr_t code, struct unwinder *out)
{
    uintptr_t get_gr = shim_lookup(code, "_Unwind_GetGR");
    uintptr_t get_ip = shim_lookup(code, "_Unwind_GetIP");
    uintptr_t set_gr = shim_lookup(code, "_Unwind_SetGR");
    uintptr_t set_ip = shim_lookup(code, "_Unwind_SetIP");
    uintptr_t resume = shim_lookup(code, "_Unwind_Resume");
    if (!get_gr || !get_ip || !set_gr || !set_ip || !resume)
        return -ENOENT;
    out->get_gr = (uintptr_t(*)(struct _Unwind_Context *, int))get_gr;
    out->get_ip = (uintptr_t(*)(struct _Unwind_Context *))get_ip;
    out->set_gr = (void (*)(struct _Unwind_Context *, int, uintptr_t))set_gr;
    out->set_ip = (void (*)(struct _Unwind_Context *, uintptr_t))set_ip;
    out->resume = resume;
    return 0;
}
