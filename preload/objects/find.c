/* SPDX-License-Identifier: Apache-2.0 */
/* See find.h: mapped objects, names of a round looked up together. */
#include "preload/objects/find.h"
#include "preload/objects/find_cxx.h"
#include "preload/objects/find_ifunc.h"
#include "preload/objects/find_names.h"

static bool get_object(void *context, uint32_t index, struct bind_object *out)
{
    uint32_t generation = (uint32_t)(uintptr_t)context;
    const struct module *module = &modules.at[index];
    if (!module->is_loaded || !module->is_usable ||
        (generation != 0 && module->generation != generation))
        return false;
    *out = module_object(module);
    return true;
}

static void add_symtab(void *context, uint32_t index)
{
    (void)context;
    module_add_symtab(&modules.at[index]);
}

static int each_named(void *context, uint32_t index, const char *name,
                      bind_file_fn *each, void *with)
{
    (void)context;
    return names_each(&modules.at[index], name, each, with);
}

static int each_readable(void *context, uint32_t index, const char *name,
                         bind_symbol_fn *each, void *with)
{
    (void)context;
    return cxx_each(&modules.at[index], name, each, with);
}

static int each_matching(void *context, uint32_t index, const char *glob,
                         bind_symbol_fn *each, void *with)
{
    (void)context;
    return cxx_each_matching(&modules.at[index], glob, each, with);
}

static uint64_t ifunc_target(void *context, uint32_t index,
                             const struct plan_symbol *symbol)
{
    uint64_t target = 0;
    (void)context;
    find_ifunc_target(&modules.at[index], symbol->name, symbol->vaddr, &target);
    return target;
}

void find_world(struct bind_world *world, uint32_t generation)
{
    *world = (struct bind_world){
        .context = (void *)(uintptr_t)generation,
        .count = modules.count,
        .object = get_object,
        .add_symtab = add_symtab,
        .each_named = each_named,
        .each_readable = each_readable,
        .each_matching = each_matching,
        .ifunc_target = ifunc_target,
    };
}
