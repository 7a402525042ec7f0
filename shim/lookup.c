/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See lookup.h: dl_iterate_phdr finds the object, its DT_GNU_HASH the symbol.
 * Runs at start, and while an exception is thrown on the throwing thread.
 */
#define _GNU_SOURCE
#include "shim/lookup.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct tables {
    uintptr_t base;
    const Elf64_Sym *symbols;
    const char *strings;
    const uint32_t *gnu_hash;
};
struct search {
    uintptr_t code;
    const char *name;
    uintptr_t found;
};

/* glibc relocates the pointers of DT_* in place, other loaders do not. */
static const void *dynamic_pointer(uintptr_t base, uintptr_t value)
{
    return (const void *)(value < base ? base + value : value);
}

static void read_dynamic(const Elf64_Dyn *dynamic, struct tables *out)
{
    for (; dynamic->d_tag != DT_NULL; dynamic++) {
        const void *at = dynamic_pointer(out->base, dynamic->d_un.d_ptr);
        if (dynamic->d_tag == DT_SYMTAB)
            out->symbols = at;
        else if (dynamic->d_tag == DT_STRTAB)
            out->strings = at;
        else if (dynamic->d_tag == DT_GNU_HASH)
            out->gnu_hash = at;
    }
}

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 5381;
    for (; *name != 0; name++)
        hash = hash * 33 + (uint8_t)*name;
    return hash;
}

/* Value of a defined function, 0 if it is not there. */
static uintptr_t find_symbol(const struct tables *tables, const char *name)
{
    const uint32_t *header = tables->gnu_hash;
    uint32_t bucket_count = header[0], first = header[1], bloom = header[2];
    const uint32_t *buckets = header + 4 + (size_t)bloom * 2;
    const uint32_t *chain = buckets + bucket_count;
    if (bucket_count == 0)
        return 0;
    uint32_t hash = hash_of(name);
    uint32_t i = buckets[hash % bucket_count];
    if (i < first)
        return 0;
    for (;; i++) {
        uint32_t entry = chain[i - first];
        const Elf64_Sym *symbol = &tables->symbols[i];
        if ((entry | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF &&
            strcmp(tables->strings + symbol->st_name, name) == 0)
            return tables->base + symbol->st_value;
        if (entry & 1)
            return 0;
    }
}

static int look_at_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct search *search = arg;
    struct tables tables = {.base = info->dlpi_addr};
    bool is_here = search->code == 0;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const Elf64_Phdr *ph = &info->dlpi_phdr[i];
        uintptr_t low = info->dlpi_addr + ph->p_vaddr;
        if (ph->p_type == PT_LOAD && search->code - low < ph->p_memsz)
            is_here = true;
        if (ph->p_type == PT_DYNAMIC)
            read_dynamic((const Elf64_Dyn *)low, &tables);
    }
    if (!is_here)
        return 0;
    if (tables.symbols && tables.strings && tables.gnu_hash)
        search->found = find_symbol(&tables, search->name);
    return search->code != 0 || search->found != 0;
}

uintptr_t shim_lookup_in(uintptr_t base, const Elf64_Dyn *dynamic,
                         const char *name)
{
    struct tables tables = {.base = base};
    read_dynamic(dynamic, &tables);
    if (!tables.symbols || !tables.strings || !tables.gnu_hash)
        return 0;
    return find_symbol(&tables, name);
}

uintptr_t shim_lookup(uintptr_t code, const char *name)
{
    struct search search = {.code = code, .name = name};
    dl_iterate_phdr(look_at_object, &search);
    return search.found;
}
