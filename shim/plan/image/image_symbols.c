/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symbols of an object: by name through .gnu.hash (microseconds for a
 * manifest's fifty names), by address and one after another by walking the
 * tables. .dynsym comes first, .symtab adds what is not exported.
 */
#include "shim/plan/image/image.h"
#include "shim/plan/image/image_internal.h"

#include <errno.h>

enum {
    VERSION_HIDDEN = 0x8000
};

bool image_symbol_get(const struct plan_image *image, bool dynamic,
                      uint64_t index, Elf64_Sym *out)
{
    const char *table = dynamic ? image->dynsym : image->symtab;
    uint64_t count = dynamic ? image->dynsym_count : image->symtab_count;
    if (table == NULL || index >= count)
        return false;
    memcpy(out, table + index * sizeof *out, sizeof *out);
    return true;
}

/* False for what is not defined here or has no name that can be read. */
bool image_symbol_describe(const struct plan_image *image, bool dynamic,
                           const Elf64_Sym *symbol, struct plan_symbol *out)
{
    uint64_t len = dynamic ? image->dynstr_len : image->strtab_len;
    unsigned type = ELF64_ST_TYPE(symbol->st_info);
    unsigned bind = ELF64_ST_BIND(symbol->st_info);
    unsigned visibility = ELF64_ST_VISIBILITY(symbol->st_other);
    if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx == SHN_ABS ||
        symbol->st_name >= len)
        return false;
    *out = (struct plan_symbol){
        .name = (dynamic ? image->dynstr : image->strtab) + symbol->st_name,
        .vaddr = symbol->st_value,
        .size_bytes = symbol->st_size,
        .is_function = type == STT_FUNC || type == STT_GNU_IFUNC,
        .is_ifunc = type == STT_GNU_IFUNC,
        .is_local = bind == STB_LOCAL,
        .is_weak = bind == STB_WEAK,
        .is_exported =
            dynamic && bind != STB_LOCAL &&
            (visibility == STV_DEFAULT || visibility == STV_PROTECTED),
    };
    return true;
}

static uint32_t word_at(const struct plan_image *image, uint64_t index)
{
    uint32_t word = 0;
    if (index < image->gnu_hash_words)
        memcpy(&word, (const char *)(const void *)image->gnu_hash + index * 4,
               sizeof word);
    return word;
}

static bool bloom_says_no(const struct plan_image *image, uint32_t hash)
{
    uint64_t words = word_at(image, 2), shift = word_at(image, 3) & 31;
    if (words == 0)
        return false;
    uint64_t at = 4 + 2 * ((hash / 64) % words);
    uint64_t word = word_at(image, at) | (uint64_t)word_at(image, at + 1) << 32;
    uint64_t mask = 1ull << (hash % 64) | 1ull << ((hash >> shift) % 64);
    return (word & mask) != mask;
}

static bool name_equals(const struct plan_image *image, uint32_t offset,
                        const char *name, size_t len)
{
    if (offset >= image->dynstr_len || len >= image->dynstr_len - offset)
        return false;
    const char *found = image->dynstr + offset;
    return memcmp(found, name, len) == 0 && found[len] == '\0';
}

static bool version_hidden(const struct plan_image *image, uint64_t index)
{
    uint16_t version;
    if (image->versym == NULL)
        return false;
    memcpy(&version, (const char *)image->versym + index * 2, sizeof version);
    return (version & VERSION_HIDDEN) != 0;
}

/* Every definition of a name, by .gnu.hash; `each` stops it. */
static int
each_hashed(const struct plan_image *image, const char *name, size_t len,
            int (*each)(void *context, const struct plan_symbol *symbol),
            void *context)
{
    struct plan_symbol out;
    uint32_t hash = 5381;
    Elf64_Sym symbol;
    for (size_t i = 0; i < len; i++)
        hash = hash * 33 + (uint8_t)name[i];
    uint64_t buckets = word_at(image, 0), first = word_at(image, 1);
    if (buckets == 0 || bloom_says_no(image, hash))
        return 0;
    uint64_t table = 4 + 2 * (uint64_t)word_at(image, 2);
    uint64_t chain = table + buckets;
    uint64_t index = word_at(image, table + hash % buckets);
    for (; index >= first && index != 0; index++) {
        uint64_t at = chain + index - first;
        if (at >= image->gnu_hash_words ||
            !image_symbol_get(image, true, index, &symbol))
            break;
        uint32_t word = word_at(image, at);
        if ((word | 1) == (hash | 1) &&
            name_equals(image, symbol.st_name, name, len) &&
            image_symbol_describe(image, true, &symbol, &out)) {
            out.index = index;
            int rc = each(context, &out);
            if (rc != 0)
                return rc;
        }
        if (word & 1)
            break;
    }
    return 0;
}

struct best {
    const struct plan_image *image;
    struct plan_symbol *out;
    bool found;
};

static int take_best(void *context, const struct plan_symbol *symbol)
{
    struct best *best = context;
    bool hidden = version_hidden(best->image, symbol->index);
    if (!best->found || !hidden)
        *best->out = *symbol;
    best->found = true;
    return !hidden;
}

/* The default version wins; another one is better than nothing. */
static int find_dynamic(const struct plan_image *image, const char *name,
                        size_t len, struct plan_symbol *out)
{
    struct best best = {image, out, false};
    (void)each_hashed(image, name, len, take_best, &best);
    return best.found ? 0 : -ENOENT;
}

int plan_image_each_version(const struct plan_image *image, const char *name,
                            int (*each)(void *context,
                                        const struct plan_symbol *symbol),
                            void *context)
{
    struct plan_symbol symbol;
    Elf64_Sym raw;
    if (image->gnu_hash != NULL)
        return each_hashed(image, name, strlen(name), each, context);
    for (uint64_t i = 0; image_symbol_get(image, true, i, &raw); i++) {
        if (!image_symbol_describe(image, true, &raw, &symbol) ||
            strcmp(symbol.name, name) != 0)
            continue;
        symbol.index = i;
        int rc = each(context, &symbol);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int find_linear(const struct plan_image *image, bool dynamic,
                       const char *name, struct plan_symbol *out)
{
    Elf64_Sym symbol;
    struct plan_symbol described;
    for (uint64_t i = 0; image_symbol_get(image, dynamic, i, &symbol); i++) {
        if (!image_symbol_describe(image, dynamic, &symbol, &described) ||
            strcmp(described.name, name) != 0)
            continue;
        *out = described;
        return 0;
    }
    return -ENOENT;
}

int plan_image_find_dynamic(const struct plan_image *image, const char *name,
                            struct plan_symbol *out)
{
    if (image->gnu_hash != NULL)
        return find_dynamic(image, name, strlen(name), out);
    return find_linear(image, true, name, out);
}

int plan_image_find_symbol(const struct plan_image *image, const char *name,
                           struct plan_symbol *out)
{
    int rc = plan_image_find_dynamic(image, name, out);
    return rc == 0 ? 0 : find_linear(image, false, name, out);
}

/* Is this .symtab entry the one that .dynsym told already? */
static bool told_before(const struct plan_image *image,
                        const struct plan_symbol *symbol)
{
    struct plan_symbol dynamic;
    const char *at = strchr(symbol->name, '@');
    size_t len = at ? (size_t)(at - symbol->name) : strlen(symbol->name);
    if (symbol->is_local || image->gnu_hash == NULL)
        return false;
    return find_dynamic(image, symbol->name, len, &dynamic) == 0 &&
           dynamic.vaddr == symbol->vaddr;
}

int plan_image_each_wanted(const struct plan_image *image,
                           bool (*is_wanted)(void *context, const char *name),
                           int (*each)(void *context,
                                       const struct plan_symbol *symbol),
                           void *context)
{
    Elf64_Sym raw;
    struct plan_symbol symbol;
    for (int dynamic = 1; dynamic >= 0; dynamic--) {
        for (uint64_t i = 0; image_symbol_get(image, dynamic, i, &raw); i++) {
            if (!image_symbol_describe(image, dynamic, &raw, &symbol) ||
                !symbol.is_function ||
                (is_wanted && !is_wanted(context, symbol.name)) ||
                (!dynamic && told_before(image, &symbol)))
                continue;
            int rc = each(context, &symbol);
            if (rc != 0)
                return rc;
        }
    }
    return 0;
}

int plan_image_each_function(const struct plan_image *image,
                             int (*each)(void *context,
                                         const struct plan_symbol *symbol),
                             void *context)
{
    return plan_image_each_wanted(image, NULL, each, context);
}

/* gABI: a STT_FILE symbol stands before the local symbols of its file. */
int plan_image_each_in_file(const struct plan_image *image,
                            int (*each)(void *context,
                                        const struct plan_symbol *symbol,
                                        const char *file),
                            void *context)
{
    Elf64_Sym raw;
    struct plan_symbol symbol;
    const char *file = NULL;
    for (uint64_t i = 0; image_symbol_get(image, false, i, &raw); i++) {
        if (ELF64_ST_TYPE(raw.st_info) == STT_FILE &&
            raw.st_name < image->strtab_len) {
            file = image->strtab + raw.st_name;
            continue;
        }
        if (!image_symbol_describe(image, false, &raw, &symbol) ||
            !symbol.is_function)
            continue;
        int rc = each(context, &symbol, symbol.is_local ? file : NULL);
        if (rc != 0)
            return rc;
    }
    return 0;
}

struct at_search {
    const struct plan_image *image;
    uint64_t vaddr;
    struct plan_symbol *out;
};

static int is_at(void *context, bool dynamic, const Elf64_Sym *raw)
{
    struct at_search *search = context;
    return raw->st_value == search->vaddr &&
           image_symbol_describe(search->image, dynamic, raw, search->out) &&
           search->out->is_function;
}

/* Whose extent it is comes first: few have it, and of those alone more has to
 * be known. */
bool image_symbol_holds(const struct plan_image *image, bool dynamic,
                        const Elf64_Sym *raw, uint64_t pc,
                        struct plan_symbol *out)
{
    return pc - raw->st_value < raw->st_size &&
           image_symbol_describe(image, dynamic, raw, out) &&
           out->is_function && (dynamic || !told_before(image, out));
}

int plan_image_symbol_around(const struct plan_image *image, uint64_t pc,
                             struct plan_symbol *out)
{
    Elf64_Sym raw;
    uint64_t low, high;
    if (!image_code_range(image, &low, &high) || pc < low || pc >= high)
        return -ENOENT;
    if (image->labels.start)
        return image_label_around(image, pc, out) ? 0 : -ENOENT;
    for (int dynamic = 1; dynamic >= 0; dynamic--)
        for (uint64_t i = 0; image_symbol_get(image, dynamic, i, &raw); i++)
            if (raw.st_value >= low &&
                image_symbol_holds(image, dynamic, &raw, pc, out))
                return 0;
    return -ENOENT;
}

int plan_image_symbol_at(const struct plan_image *image, uint64_t vaddr,
                         struct plan_symbol *out)
{
    struct at_search search = {image, vaddr, out};
    uint64_t end = vaddr + 1;
    return image_each_label(image, vaddr, &end, is_at, &search) ? 0 : -ENOENT;
}

struct each_at {
    const struct plan_image *image;
    uint64_t vaddr;
    int (*each)(void *context, const struct plan_symbol *symbol);
    void *context;
};

static int offer_at(void *context, bool dynamic, const Elf64_Sym *raw)
{
    const struct each_at *all = context;
    struct plan_symbol symbol;
    if (raw->st_value != all->vaddr ||
        !image_symbol_describe(all->image, dynamic, raw, &symbol) ||
        !symbol.is_function)
        return 0;
    return all->each(all->context, &symbol);
}

int plan_image_each_at(const struct plan_image *image, uint64_t vaddr,
                       int (*each)(void *context,
                                   const struct plan_symbol *symbol),
                       void *context)
{
    struct each_at all = {image, vaddr, each, context};
    uint64_t end = vaddr + 1;
    return image_each_label(image, vaddr, &end, offer_at, &all);
}
