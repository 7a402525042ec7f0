/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of an object that the loader fills with an address: what a jump
 * through the PLT or the GOT will reach, as far as the object itself says.
 */
#include "shim/plan/image.h"
#include "shim/plan/image_internal.h"

#include <errno.h>

static bool describe_slot(const struct plan_image *image,
                          const Elf64_Rela *rela, struct plan_slot *out)
{
    Elf64_Sym raw;
    struct plan_symbol symbol;
    uint32_t type = (uint32_t)ELF64_R_TYPE(rela->r_info);
    *out = (struct plan_slot){.vaddr = rela->r_offset,
                              .type = type,
                              .addend = (uint64_t)rela->r_addend};
    if (type == R_X86_64_IRELATIVE)
        return true; /* a resolver's address; what it answers is not known */
    if (type == R_X86_64_RELATIVE) {
        out->is_bound_here = out->is_defined_here = true;
        out->definition = out->addend;
        return true;
    }
    if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT &&
        type != R_X86_64_64)
        return false;
    if (!image_symbol_get(image, true, ELF64_R_SYM(rela->r_info), &raw) ||
        raw.st_name >= image->dynstr_len)
        return false;
    out->name = image->dynstr + raw.st_name;
    if (type != R_X86_64_64)
        out->addend = 0;
    if (!image_symbol_describe(image, true, &raw, &symbol) || symbol.is_ifunc)
        return true;
    out->is_defined_here = true;
    out->definition = symbol.vaddr + out->addend;
    out->is_bound_here = image->is_symbolic || symbol.is_local ||
                         ELF64_ST_VISIBILITY(raw.st_other) != STV_DEFAULT;
    return true;
}

int plan_image_each_slot(const struct plan_image *image,
                         int (*each)(void *context,
                                     const struct plan_slot *slot),
                         void *context)
{
    const uint64_t tables[2][2] = {{image->jmprel, image->jmprel_len},
                                   {image->rela, image->rela_len}};
    for (int t = 0; t < 2; t++) {
        uint64_t count = tables[t][1] / sizeof(Elf64_Rela);
        const char *at = plan_image_at(image, tables[t][0], tables[t][1]);
        for (uint64_t i = 0; at != NULL && i < count; i++) {
            Elf64_Rela rela;
            struct plan_slot slot;
            memcpy(&rela, at + i * sizeof rela, sizeof rela);
            if (!describe_slot(image, &rela, &slot))
                continue;
            int rc = each(context, &slot);
            if (rc != 0)
                return rc;
        }
    }
    return 0;
}

int plan_image_find_slot(const struct plan_image *image, uint64_t vaddr,
                         struct plan_slot *out)
{
    const uint64_t tables[2][2] = {{image->jmprel, image->jmprel_len},
                                   {image->rela, image->rela_len}};
    for (int t = 0; t < 2; t++) {
        uint64_t count = tables[t][1] / sizeof(Elf64_Rela);
        const char *at = plan_image_at(image, tables[t][0], tables[t][1]);
        for (uint64_t i = 0; at != NULL && i < count; i++) {
            Elf64_Rela rela;
            memcpy(&rela, at + i * sizeof rela, sizeof rela);
            if (rela.r_offset == vaddr && describe_slot(image, &rela, out))
                return 0;
        }
    }
    return -ENOENT;
}
