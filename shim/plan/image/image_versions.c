/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of symbol versions: what an object defines (DT_VERDEF) and what it
 * demands of others (DT_VERNEED), by the numbers of DT_VERSYM. Chains of
 * offsets, followed forwards only and as often as the object says.
 */
#include "shim/plan/image/image_internal.h"

enum {
    INDEX_MASK = 0x7fff,
    INDEX_FIRST = 2, /* 0 is local, 1 has no version */
    CHAIN_MAX = 4096
};

static const char *text_at(const struct plan_image *image, uint32_t offset)
{
    return offset < image->dynstr_len ? image->dynstr + offset : NULL;
}

static const char *find_defined(const struct plan_image *image, uint16_t number)
{
    uint64_t at = image->verdef;
    for (uint64_t i = 0; i < image->verdef_count && i < CHAIN_MAX; i++) {
        Elf64_Verdef def;
        Elf64_Verdaux aux;
        if (!image_read(image, at, &def, sizeof def))
            return NULL;
        if ((def.vd_ndx & INDEX_MASK) == number)
            return image_read(image, at + def.vd_aux, &aux, sizeof aux)
                       ? text_at(image, aux.vda_name)
                       : NULL;
        if (def.vd_next == 0)
            return NULL;
        at += def.vd_next;
    }
    return NULL;
}

static const char *find_aux(const struct plan_image *image, uint64_t at,
                            unsigned count, uint16_t number)
{
    for (unsigned i = 0; i < count; i++) {
        Elf64_Vernaux aux;
        if (!image_read(image, at, &aux, sizeof aux))
            return NULL;
        if ((aux.vna_other & INDEX_MASK) == number)
            return text_at(image, aux.vna_name);
        if (aux.vna_next == 0)
            return NULL;
        at += aux.vna_next;
    }
    return NULL;
}

static const char *find_needed(const struct plan_image *image, uint16_t number)
{
    uint64_t at = image->verneed;
    for (uint64_t i = 0; i < image->verneed_count && i < CHAIN_MAX; i++) {
        Elf64_Verneed need;
        if (!image_read(image, at, &need, sizeof need))
            return NULL;
        const char *name =
            find_aux(image, at + need.vn_aux, need.vn_cnt, number);
        if (name || need.vn_next == 0)
            return name;
        at += need.vn_next;
    }
    return NULL;
}

const char *plan_image_version(const struct plan_image *image, uint64_t index)
{
    uint16_t number;
    if (image->versym == NULL || index >= image->dynsym_count)
        return NULL;
    memcpy(&number, (const char *)image->versym + index * 2, sizeof number);
    number &= INDEX_MASK;
    if (number < INDEX_FIRST)
        return NULL;
    const char *name = image->verdef ? find_defined(image, number) : NULL;
    return name ? name : image->verneed ? find_needed(image, number) : NULL;
}
