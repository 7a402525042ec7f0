/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of an object that the loader fills with an address: what a jump
 * through the PLT or the GOT will reach, as far as the object itself says.
 */
#include "shim/plan/image/image.h"
#include "shim/plan/image/image_internal.h"

#include <emmintrin.h>
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
static void word_of_slot(const struct words *w, const Elf64_Rela *rela)
{
    struct plan_slot slot;
    if (!describe_slot(w->image, rela, &slot))
        return;
    if (slot.type == R_X86_64_IRELATIVE)
        w->each(w->context, slot.vaddr, slot.addend);
    else if (slot.is_defined_here)
        w->each(w->context, slot.vaddr, slot.definition);
}

/* Nearly all of them are relative: hundreds of thousands in a large object. */
static void words_of_rela(const struct words *w, uint64_t table, uint64_t len)
{
    const char *at = plan_image_at(w->image, table, len);
    for (uint64_t i = 0; at != NULL && i < len / sizeof(Elf64_Rela); i++) {
        Elf64_Rela rela;
        memcpy(&rela, at + i * sizeof rela, sizeof rela);
        if (ELF64_R_TYPE(rela.r_info) == R_X86_64_RELATIVE)
            w->each(w->context, rela.r_offset, (uint64_t)rela.r_addend);
        else
            word_of_slot(w, &rela);
    }
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

/* Four words at a time, at each second of which one may begin: which of them
 * are below 2^32, and in [low, low + span]? A bit each. */
static uint32_t words_within(const char *p, uint32_t low, uint32_t span)
{
    const __m128i sign = _mm_set1_epi32(INT32_MIN);
    const __m128i most = _mm_set1_epi32((int32_t)(span ^ 0x80000000u));
    __m128i here = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(p + 4));
    __m128i from = _mm_sub_epi32(here, _mm_set1_epi32((int32_t)low));
    __m128i more = _mm_cmpgt_epi32(_mm_xor_si128(from, sign), most);
    __m128i is_short = _mm_cmpeq_epi32(high, _mm_setzero_si128());
    return (uint32_t)_mm_movemask_ps(
        _mm_castsi128_ps(_mm_andnot_si128(more, is_short)));
}

/* Nothing tells addresses of its code from numbers: every second word of 32
 * bits may begin one. */
static void words_of_segment(const struct words *w, const char *at,
                             uint64_t vaddr, uint64_t len)
{
    uint64_t low, high, value, to = -vaddr & 3;
    if (!image_code_range(w->image, &low, &high))
        return;
    uint64_t span = high - low;
    for (; to + 20 <= len && high <= UINT32_MAX; to += 16)
        for (uint32_t m = words_within(at + to, (uint32_t)low, (uint32_t)span);
             m != 0; m &= m - 1) {
            uint64_t place = to + 4 * (uint64_t)__builtin_ctz(m);
            memcpy(&value, at + place, sizeof value);
            w->each(w->context, vaddr + place, value);
        }
    for (; to + 8 <= len; to += 4) {
        memcpy(&value, at + to, sizeof value);
        if (value - low <= span)
            w->each(w->context, vaddr + to, value);
    }
}

static void words_of_data(const struct words *w)
{
    for (uint32_t i = 0; i < w->image->segment_count; i++) {
        const struct plan_segment *s = &w->image->segments[i];
        const char *at = plan_image_at(w->image, s->vaddr, s->filesz);
        if (at != NULL && !(s->flags & PF_X))
            words_of_segment(w, at, s->vaddr, s->filesz);
    }
}

void plan_image_each_word(const struct plan_image *image,
                          void (*each)(void *context, uint64_t place,
                                       uint64_t target),
                          void *context)
{
    const struct words w = {image, each, context};
    words_of_rela(&w, image->jmprel, image->jmprel_len);
    words_of_rela(&w, image->rela, image->rela_len);
    words_of_relr(&w);
    if (image_is_fixed(image))
        words_of_data(&w);
}
