/* SPDX-License-Identifier: Apache-2.0 */
#include "preload/objects/names_kept.h"
#include "lane/format/assert.h"
#include <sys/mman.h>

enum {
    IS_FUNCTION = 1,
    IS_IFUNC = 2,
    IS_LOCAL = 4,
    IS_WEAK = 8,
    IS_EXPORTED = 16,
    IN_STRTAB = 32, /* its name; else in .dynstr */
};
struct entry {
    uint32_t wanted, flags;
    uint64_t vaddr, size_bytes, index, name; /* offset in its table */
};
_Static_assert(sizeof(struct entry) % 8 == 0, "kept as words");

bool names_kept_identify(const struct module *module, uint64_t set,
                         struct kept_identity *out)
{
    if (!kept_identify_path(module, KEPT_NAMES, out))
        return false;
    out->extra[0] = module->image.symtab ? module->image.symtab_count : 0;
    out->extra[1] = set;
    /* not of a debug file, which is another one */
    return !module->image.symtab || module->file_bytes == out->size;
}

static bool is_in(const char *at, const char *table, uint64_t len)
{
    lane_assert(at != NULL);
    return table && at >= table && at < table + len;
}

static bool put(struct entry *e, const struct plan_image *image,
                const struct names_kept *found)
{
    const struct plan_symbol *s = &found->symbol;
    bool in_dynstr = is_in(s->name, image->dynstr, image->dynstr_len);
    if (!in_dynstr && !is_in(s->name, image->strtab, image->strtab_len))
        return false;
    *e = (struct entry){
        found->wanted,
        (s->is_function ? IS_FUNCTION : 0) | (s->is_ifunc ? IS_IFUNC : 0) |
            (s->is_local ? IS_LOCAL : 0) | (s->is_weak ? IS_WEAK : 0) |
            (s->is_exported ? IS_EXPORTED : 0) | (in_dynstr ? 0 : IN_STRTAB),
        s->vaddr,
        s->size_bytes,
        s->index,
        (uint64_t)(s->name - (in_dynstr ? image->dynstr : image->strtab))};
    return true;
}

static bool get(const struct entry *e, const struct plan_image *image,
                struct names_kept *found)
{
    bool in_strtab = e->flags & IN_STRTAB;
    const char *table = in_strtab ? image->strtab : image->dynstr;
    if (!table ||
        e->name >= (in_strtab ? image->strtab_len : image->dynstr_len))
        return false;
    *found = (struct names_kept){e->wanted,
                                 {.name = table + e->name,
                                  .vaddr = e->vaddr,
                                  .size_bytes = e->size_bytes,
                                  .is_function = e->flags & IS_FUNCTION,
                                  .is_ifunc = e->flags & IS_IFUNC,
                                  .is_local = e->flags & IS_LOCAL,
                                  .is_weak = e->flags & IS_WEAK,
                                  .is_exported = e->flags & IS_EXPORTED,
                                  .index = e->index}};
    return true;
}

bool names_kept_each(
    const struct module *module, const struct kept_identity *of,
    void (*each)(void *context, const struct names_kept *found), void *context)
{
    uint64_t words;
    size_t mapped;
    struct names_kept found;
    uint64_t *at = kept_load(of, &words, &mapped);
    if (!at)
        return false;
    uint64_t count = words * 8 / sizeof(struct entry);
    const struct entry *entry = (const void *)at;
    bool is_good = words * 8 % sizeof(struct entry) == 0;
    for (uint64_t i = 0; is_good && i < count; i++)
        is_good = get(&entry[i], &module->image, &found);
    for (uint64_t i = 0; is_good && i < count; i++) {
        (void)get(&entry[i], &module->image, &found);
        each(context, &found);
    }
    munmap(at, mapped);
    return is_good;
}

void names_kept_store(struct module *module, const struct kept_identity *of,
                      uint32_t count,
                      struct names_kept (*get_one)(void *context, uint32_t i),
                      void *context)
{
    lane_assert(of->what == KEPT_NAMES && get_one != NULL);
    size_t len = (count + 1) * sizeof(struct entry);
    struct entry *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return;
    bool is_good = true;
    for (uint32_t i = 0; is_good && i < count; i++) {
        struct names_kept found = get_one(context, i);
        is_good = put(&at[i], &module->image, &found);
    }
    if (is_good)
        kept_store_mapped(module, of, (const void *)at,
                          count * sizeof(struct entry) / 8);
    munmap(at, len);
}
