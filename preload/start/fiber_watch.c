/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where programs make stacks for fibers: internal sites on libc's
 * makecontext, if some object calls it, and on the make_fcontext of Boost,
 * whose shared object has no other use.
 *
 * Runs in the constructor and after objects were loaded, text open.
 */
#include "preload/bind/bind.h"
#include "preload/call/stack/fiber.h"

#include <string.h>

enum {
    FOUND = 1,
    STOP = 2
};

static int is_makecontext(void *context, const struct plan_slot *slot)
{
    (void)context;
    if (!slot->name)
        return STOP; /* behind the calls come thousands of other words */
    return strcmp(slot->name, "makecontext") == 0 ? FOUND : 0;
}

void fiber_watch(bool only_new)
{
    static bool has_ucontext;
    struct plan_symbol found;
    if (bind_count() == 0)
        return;
    for (uint32_t i = 0; i < modules.count; i++) {
        struct module *module = &modules.at[i];
        if (!module->is_usable || !module->is_loaded ||
            (only_new && module->generation != modules.generation) ||
            module->kind == MODULE_OWN || module->kind == MODULE_LOADER ||
            module->kind == MODULE_LIBC)
            continue;
        if (!has_ucontext &&
            plan_image_each_slot(&module->image, is_makecontext, NULL) == FOUND)
            has_ucontext =
                bind_internal("makecontext", fiber_makecontext, NULL) == 0;
        if (has_ucontext)
            fiber_reserve();
        if (plan_image_find_symbol(&module->image, "make_fcontext", &found) ==
            0) {
            fiber_reserve();
            (void)bind_internal_at(module, "make_fcontext", found.vaddr,
                                   fiber_make_fcontext, NULL);
        }
    }
}
