/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See find_ifunc.h. Objects that are relocated at once have the answer in
 * their GLOB_DAT, R_X86_64_64 or IRELATIVE words, and in JUMP_SLOTs under
 * `now`; a JUMP_SLOT that was not used yet still leads into its own PLT, which
 * is no start of a function.
 */
#include "preload/objects/find_ifunc.h"
#include <elf.h>
#include <string.h>

struct search {
    const struct module *owner;  /* of the resolver */
    const struct module *module; /* whose slots are looked at */
    const char *name;
    uint64_t resolver, target;
};

static bool is_meant(const struct search *s, const struct plan_slot *slot)
{
    if (slot->type == R_X86_64_IRELATIVE)
        return s->module == s->owner && slot->addend == s->resolver;
    return slot->name && slot->addend == 0 &&
           (slot->type == R_X86_64_JUMP_SLOT ||
            slot->type == R_X86_64_GLOB_DAT || slot->type == R_X86_64_64) &&
           strcmp(slot->name, s->name) == 0;
}

static int look_at_slot(void *context, const struct plan_slot *slot)
{
    struct search *s = context;
    uint64_t value, end;
    if (!is_meant(s, slot))
        return 0;
    const void *at =
        plan_image_at(&s->module->image, slot->vaddr, sizeof(value));
    if (!at)
        return 0;
    memcpy(&value, at, sizeof(value));
    if (value < s->owner->low || value >= s->owner->high)
        return 0;
    value -= s->owner->base;
    if (value == s->resolver ||
        plan_image_function_extent(&s->owner->image, value, &end) != 0)
        return 0;
    s->target = value;
    return 1;
}

bool find_ifunc_target(const struct module *module, const char *name,
                       uint64_t vaddr, uint64_t *target)
{
    struct search s = {.owner = module, .name = name, .resolver = vaddr};
    for (uint32_t i = 0; i < modules.count && s.target == 0; i++) {
        s.module = &modules.at[i];
        if (s.module->is_loaded && s.module->is_usable)
            plan_image_each_slot(&s.module->image, look_at_slot, &s);
    }
    *target = s.target;
    return s.target != 0;
}
