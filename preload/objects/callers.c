/* SPDX-License-Identifier: Apache-2.0 */
/* See callers.h. Runs in the thread that calls, while others may load objects:
 * only the module that the address lies in is looked at, and its caller
 * stands in it, so it stays. */
#include "preload/objects/callers.h"
#include "preload/objects/modules.h"
#include "preload/call/record/span.h"
#include "preload/call/record/span_internal.h"
#include "shim/plan/plan.h"
#include "shim/plan/image/unwind.h"

static long is_known(long return_address, long unused)
{
    struct plan_fde fde;
    (void)unused;
    uint64_t at = (uint64_t)return_address - 1; /* in the calling instruction */
    const struct module *module = modules_find(at);
    if (!module)
        return false;
    if (module->kind == MODULE_OWN || !module->is_usable)
        return module->kind == MODULE_OWN;
    return !plan_image_has_unwind(&module->image) ||
           plan_fde_find(&module->image, at - module->base, &fde) == 0;
}

void callers_start(void)
{
    span_caller_is_known = is_known;
}
