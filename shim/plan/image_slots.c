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
    out->index = ELF64_R_SYM(rela->r_info);
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

/* ---- words ----------------------------------------------------------------
 */

struct words {
    const struct plan_image *image;
    void (*each)(void *context, uint64_t place, uint64_t target);
    void *context;
};

/* Of a resolver the address is told, not what it answers. */
static int word_of_slot(void *context, const struct plan_slot *slot)
{
    const struct words *w = context;
    if (slot->type == R_X86_64_IRELATIVE)
        w->each(w->context, slot->vaddr, slot->addend);
    else if (slot->is_defined_here)
        w->each(w->context, slot->vaddr, slot->definition);
    return 0;
}

/* A word in place: the addend, with the load bias once it was relocated. */
static void relative_word(const struct words *w, uint64_t place)
{
    const struct plan_image *image = w->image;
    uint64_t value;
    if (!image_read(image, place, &value, sizeof value))
        return;
    if (image->is_mapped && value >= image->base)
        value -= image->base;
    w->each(w->context, place, value);
}

/* gABI, DT_RELR: an address, then bitmaps of the 63 words behind it. */
static void words_of_relr(const struct words *w)
{
    uint64_t place = 0, entry;
    const char *at =
        plan_image_at(w->image, w->image->relr, w->image->relr_len);
    for (uint64_t i = 0; at != NULL && i < w->image->relr_len / 8; i++) {
        memcpy(&entry, at + i * 8, sizeof entry);
        if (!(entry & 1)) {
            relative_word(w, entry);
            place = entry + 8;
            continue;
        }
        for (uint64_t bit = 0; entry >>= 1; bit++)
            if (entry & 1)
                relative_word(w, place + 8 * bit);
        place += 8 * 63;
    }
}

/* Nothing tells addresses from numbers: every aligned word may be one. */
static void words_of_data(const struct words *w)
{
    const struct plan_image *image = w->image;
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct plan_segment *s = &image->segments[i];
        uint64_t len = s->filesz, value;
        const char *at = plan_image_at(image, s->vaddr, len);
        if (at == NULL || (s->flags & PF_X))
            continue;
        for (uint64_t to = -s->vaddr & 3; to + 8 <= len; to += 4) {
            memcpy(&value, at + to, sizeof value);
            w->each(w->context, s->vaddr + to, value);
        }
    }
}

void plan_image_each_word(const struct plan_image *image,
                          void (*each)(void *context, uint64_t place,
                                       uint64_t target),
                          void *context)
{
    const struct words w = {image, each, context};
    (void)plan_image_each_slot(image, word_of_slot, (void *)(uintptr_t)&w);
    words_of_relr(&w);
    if (image_is_fixed(image))
        words_of_data(&w);
}
