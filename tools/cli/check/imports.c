/* SPDX-License-Identifier: Apache-2.0 */
/* Where the call slots of a program lead; see imports.h. */
#include "tools/cli/check/imports.h"
#include "tools/cli/check/chosen.h"
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Its call slots lead somewhere at their first call only. */
static bool is_lazy(const struct plan_image *image)
{
    const char *now = getenv("LD_BIND_NOW");
    const char *table =
        plan_image_at(image, image->dynamic, image->dynamic_len);
    for (uint64_t i = 0; table && i < image->dynamic_len / sizeof(Elf64_Dyn);
         i++) {
        Elf64_Dyn d;
        memcpy(&d, table + i * sizeof d, sizeof d);
        if (d.d_tag == DT_BIND_NOW ||
            (d.d_tag == DT_FLAGS && d.d_un.d_val & DF_BIND_NOW) ||
            (d.d_tag == DT_FLAGS_1 && d.d_un.d_val & DF_1_NOW))
            return false;
        if (d.d_tag == DT_NULL)
            break;
    }
    return !now || !*now;
}

bool imports_are_later(const struct objects *objects)
{
    return objects->at[0].kind != OBJECT_MAIN;
}

struct import {
    const struct plan_image *image; /* that is looked at */
    const char *version;            /* NULL: none is demanded */
    struct plan_symbol found;
};

/* An object without versions serves every one. */
static int look_at_version(void *context, const struct plan_symbol *symbol)
{
    struct import *import = context;
    const char *has = plan_image_version(import->image, symbol->index);
    if (!symbol->is_exported || (has && strcmp(has, import->version) != 0))
        return 0;
    import->found = *symbol;
    return 1;
}

/* Does this object serve the import of that name? */
static bool find_import(struct import *import, const char *name)
{
    if (import->version)
        return plan_image_each_version(import->image, name, look_at_version,
                                       import) != 0;
    return plan_image_find_symbol(import->image, name, &import->found) == 0 &&
           import->found.is_exported;
}

int imports_resolve(void *context, const struct plan_image *image,
                    uint64_t slot_vaddr, const struct plan_image **target,
                    uint64_t *target_vaddr)
{
    const struct objects *objects = context;
    struct plan_slot slot;
    struct import import = {0};
    if (imports_are_later(objects) ||
        plan_image_find_slot(image, slot_vaddr, &slot) < 0 ||
        (slot.type == R_X86_64_JUMP_SLOT && is_lazy(image)))
        return -ENOENT;
    if (slot.is_bound_here && slot.is_defined_here) {
        *target = image;
        *target_vaddr = slot.definition;
        return 0;
    }
    import.version = plan_image_version(image, slot.index);
    for (size_t i = 0; slot.name && i < objects->count; i++) {
        import.image = &objects->at[i].image;
        if (!find_import(&import, slot.name))
            continue;
        *target = import.image;
        if (import.found.is_ifunc)
            return chosen_find(import.image, slot.name, import.version,
                               target_vaddr);
        *target_vaddr = import.found.vaddr;
        return 0;
    }
    return -ENOENT;
}

struct slot_search {
    const char *name;
    bool found;
};
static int look_at_slot(void *context, const struct plan_slot *slot)
{
    struct slot_search *s = context;
    s->found =
        slot->name && !slot->is_bound_here && strcmp(slot->name, s->name) == 0;
    return s->found;
}

bool imports_have(const struct objects *objects, const char *name)
{
    struct slot_search s = {.name = name};
    for (size_t i = 0; i < objects->count && !s.found; i++)
        if (objects->at[i].kind != OBJECT_LOADER)
            plan_image_each_slot(&objects->at[i].image, look_at_slot, &s);
    return s.found;
}
