/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code labels by address. Symbol tables are in no order of address: to walk
 * one for each function of a manifest is 0.1 ms each in a library of 100,000
 * symbols. The index is a counting sort by the part of the code a label stands
 * in, in memory that the caller hands in; it costs as much as walking for some
 * three functions. Without one every label is looked at.
 */
#include "shim/plan/image/image.h"
#include "shim/plan/image/image_internal.h"

#include <stddef.h>

enum {
    FROM_DYNSYM = 1u << 30, /* else from .symtab; below it the index */
    PART_SHIFT_MIN = 5,
    PART_SHIFT_MAX = 31 /* offsets have 32 bits */
};

/* Some 32 labels a part: the counters then stay in the first cache. */
static void divide(const struct plan_image *image, struct plan_labels *labels)
{
    uint64_t count = image->dynsym_count + image->symtab_count;
    uint64_t span = labels->high - labels->low;
    labels->shift = PART_SHIFT_MIN;
    while (labels->shift < PART_SHIFT_MAX &&
           (span >> labels->shift) > count / 32)
        labels->shift++;
    labels->parts = (uint32_t)(span >> labels->shift) + 1;
}

size_t plan_image_labels_bytes(const struct plan_image *image)
{
    struct plan_labels labels;
    uint64_t count = image->dynsym_count + image->symtab_count;
    if (count == 0 || count >= FROM_DYNSYM ||
        !image_code_range(image, &labels.low, &labels.high) ||
        labels.high - labels.low > UINT32_MAX)
        return 0;
    divide(image, &labels);
    return (2 * labels.parts + 1 + 2 * count) * sizeof(uint32_t);
}

static uint64_t value_at(const char *table, uint64_t index)
{
    uint64_t value;
    memcpy(&value,
           table + index * sizeof(Elf64_Sym) + offsetof(Elf64_Sym, st_value),
           sizeof value);
    return value;
}

/* Where each symbol stands in the code (high - low: elsewhere), how many stand
 * in each part, and how far the functions among them reach. */
static void measure(struct plan_labels *labels, const char *table,
                    uint64_t count, uint32_t *offset)
{
    uint64_t span = labels->high - labels->low;
    for (uint64_t i = 0; i < count; i++) {
        Elf64_Sym symbol;
        memcpy(&symbol, table + i * sizeof symbol, sizeof symbol);
        uint64_t at = symbol.st_value - labels->low;
        offset[i] = (uint32_t)(at < span ? at : span);
        labels->start[offset[i] >> labels->shift]++;
        unsigned type = ELF64_ST_TYPE(symbol.st_info);
        if ((type != STT_FUNC && type != STT_GNU_IFUNC) || at >= span)
            continue;
        uint64_t end = symbol.st_size < span - at ? at + symbol.st_size : span;
        uint32_t *reach = &labels->reach[at >> labels->shift];
        *reach = end > *reach ? (uint32_t)end : *reach;
    }
}

/* Backwards; `start` of a part is one behind its last before, its first
 * afterwards. */
static void sort_table(struct plan_labels *labels, const uint32_t *offset,
                       uint64_t count, uint32_t mark)
{
    for (uint64_t i = count; i-- > 0;)
        labels->label[--labels->start[offset[i] >> labels->shift]] =
            (uint32_t)i | mark;
}

void plan_image_index_labels(struct plan_image *image, uint32_t *memory)
{
    struct plan_labels labels = {0};
    uint64_t dynamic = image->dynsym ? image->dynsym_count : 0;
    uint64_t full = image->symtab ? image->symtab_count : 0;
    if (!image_code_range(image, &labels.low, &labels.high))
        return;
    divide(image, &labels);
    labels.start = memory;
    labels.reach = labels.start + labels.parts + 1;
    labels.label = labels.reach + labels.parts;
    uint32_t *offset = labels.label + dynamic + full;
    memset(memory, 0, (2 * labels.parts + 1) * sizeof *memory);
    measure(&labels, image->dynsym, dynamic, offset);
    measure(&labels, image->symtab, full, offset + dynamic);
    for (uint32_t i = 1; i <= labels.parts; i++)
        labels.start[i] += labels.start[i - 1];
    for (uint32_t i = 1; i < labels.parts; i++)
        if (labels.reach[i] < labels.reach[i - 1])
            labels.reach[i] = labels.reach[i - 1];
    /* so that a part has the dynamic ones first */
    sort_table(&labels, offset + dynamic, full, 0);
    sort_table(&labels, offset, dynamic, FROM_DYNSYM);
    image->labels = labels;
}

static int offer_all(const struct plan_image *image, uint64_t from,
                     const uint64_t *to, image_label_fn *each, void *context)
{
    Elf64_Sym symbol;
    for (int dynamic = 1; dynamic >= 0; dynamic--) {
        const char *table = dynamic ? image->dynsym : image->symtab;
        uint64_t count = dynamic ? image->dynsym_count : image->symtab_count;
        for (uint64_t i = 0; table && i < count; i++) {
            if (value_at(table, i) - from >= *to - from)
                continue;
            memcpy(&symbol, table + i * sizeof symbol, sizeof symbol);
            int stop = each(context, dynamic, &symbol);
            if (stop)
                return stop;
        }
    }
    return 0;
}

int image_each_label(const struct plan_image *image, uint64_t from,
                     const uint64_t *to, image_label_fn *each, void *context)
{
    const struct plan_labels *labels = &image->labels;
    Elf64_Sym symbol;
    if (!labels->start || from < labels->low || from >= labels->high)
        return offer_all(image, from, to, each, context);
    for (uint64_t part = (from - labels->low) >> labels->shift;
         part < labels->parts; part++) {
        uint64_t start = labels->low + (part << labels->shift);
        if (start > from && start - from >= *to - from)
            break;
        uint32_t end = labels->start[part + 1];
        for (uint32_t i = labels->start[part]; i < end; i++) {
            bool dynamic = labels->label[i] & FROM_DYNSYM;
            uint32_t index = labels->label[i] & (FROM_DYNSYM - 1);
            if (!image_symbol_get(image, dynamic, index, &symbol) ||
                symbol.st_value - from >= *to - from)
                continue;
            int stop = each(context, dynamic, &symbol);
            if (stop)
                return stop;
        }
    }
    return 0;
}

/* The one that comes first in the tables, of those in a part. */
static uint32_t around_in_part(const struct plan_image *image, uint64_t part,
                               uint64_t pc, uint32_t best,
                               struct plan_symbol *out)
{
    const struct plan_labels *labels = &image->labels;
    uint32_t end = labels->start[part + 1];
    for (uint32_t i = labels->start[part]; i < end; i++) {
        struct plan_symbol symbol;
        Elf64_Sym raw;
        uint32_t rank = labels->label[i] ^ FROM_DYNSYM;
        bool dynamic = labels->label[i] & FROM_DYNSYM;
        if (rank >= best ||
            !image_symbol_get(image, dynamic,
                              labels->label[i] & (FROM_DYNSYM - 1), &raw) ||
            raw.st_value < labels->low ||
            !image_symbol_holds(image, dynamic, &raw, pc, &symbol))
            continue;
        best = rank;
        *out = symbol;
    }
    return best;
}

bool image_label_around(const struct plan_image *image, uint64_t pc,
                        struct plan_symbol *out)
{
    const struct plan_labels *labels = &image->labels;
    uint64_t at = pc - labels->low;
    uint64_t part = at >> labels->shift;
    uint32_t best = around_in_part(image, part, pc, UINT32_MAX, out);
    while (part > 0 && labels->reach[part - 1] > at)
        best = around_in_part(image, --part, pc, best, out);
    return best != UINT32_MAX;
}
