/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What names say about an entry patch: functions that must not get a frame
 * between themselves and their caller, parts of functions, resolvers, and
 * labels inside the bytes that would be displaced.
 */
#include "shim/plan/patch_internal.h"
#include "shim/plan/image_internal.h"
#include "shim/plan/unwind.h"

#include <stddef.h>

/* They save, restore or share the caller's very frame, or run before or
 * below any frame. */
static const char *const excluded[] = {
    "setjmp",
    "_setjmp",
    "__setjmp",
    "sigsetjmp",
    "__sigsetjmp",
    "longjmp",
    "_longjmp",
    "__longjmp",
    "____longjmp_chk",
    "__longjmp_chk",
    "siglongjmp",
    "__libc_longjmp",
    "__libc_siglongjmp",
    "_longjmp_unwind",
    "vfork",
    "__vfork",
    "__libc_vfork",
    "clone",
    "__clone",
    "__clone2",
    "clone3",
    "__clone3",
    "__clone_internal",
    "getcontext",
    "__getcontext",
    "setcontext",
    "__setcontext",
    "swapcontext",
    "__swapcontext",
    "makecontext",
    "__makecontext",
    "__start_context",
    "__libc_start_main",
    "__libc_start_main_impl",
    "__libc_start_call_main",
    "_start",
    "_init",
    "_fini",
    "__restore_rt",
    "_dl_start",
    "_dl_start_user",
    "_dl_runtime_resolve",
    "_dl_runtime_profile",
    "_dl_tlsdesc_return",
    "__morestack",
    "mcount",
    "_mcount",
    "__fentry__",
};

static bool is_excluded(const char *name)
{
    for (size_t i = 0; i < sizeof excluded / sizeof *excluded; i++)
        if (strcmp(name, excluded[i]) == 0)
            return true;
    return strncmp(name, "_dl_runtime_resolve_", 20) == 0;
}

static bool is_part(const char *name)
{
    const char *cold = strstr(name, ".cold");
    return (cold != NULL && (cold[5] == '\0' || cold[5] == '.')) ||
           strstr(name, ".part.") != NULL;
}

static bool is_code_label(const struct plan_image *image, const Elf64_Sym *raw)
{
    unsigned type = ELF64_ST_TYPE(raw->st_info);
    return raw->st_shndx != SHN_UNDEF && raw->st_shndx != SHN_ABS &&
           (type == STT_FUNC || type == STT_NOTYPE || type == STT_GNU_IFUNC) &&
           image_is_executable(image, raw->st_value);
}

static void learn_own(struct plan_entry *entry,
                      const struct plan_symbol *symbol)
{
    entry->is_ifunc |= symbol->is_ifunc;
    entry->is_part |= is_part(symbol->name);
    entry->is_excluded |= is_excluded(symbol->name);
    if (symbol->is_function && entry->size_bytes == 0)
        entry->size_bytes = symbol->size_bytes;
}

/* How many of them begin at or below vaddr. */
static uint32_t rank_of(const struct plan_entry *entries, uint32_t count,
                        uint64_t vaddr)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (entries[middle].vaddr <= vaddr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A symbol that may lie in one of the windows. */
static void learn_symbol(const struct plan_image *image, bool dynamic,
                         uint64_t index, struct plan_entry *entries,
                         uint32_t count)
{
    struct plan_symbol symbol;
    Elf64_Sym raw;
    if (!image_symbol_get(image, dynamic, index, &raw) ||
        !is_code_label(image, &raw))
        return;
    uint64_t value = raw.st_value;
    for (uint32_t i = rank_of(entries, count, value); i-- > 0;) {
        struct plan_entry *entry = &entries[i];
        if (value - entry->vaddr >= PLAN_ENTRY_WINDOW)
            return;
        if (value > entry->vaddr)
            entry->label = value < entry->label ? value : entry->label;
        else if (image_symbol_describe(image, dynamic, &raw, &symbol))
            learn_own(entry, &symbol);
    }
}

/* One bit for each block of a window's size, folded: most symbols are passed
 * over by one look. */
enum {
    FILTER_BITS = 1 << 14
};
struct filter {
    uint64_t bits[FILTER_BITS / 64];
};

static uint64_t block_of(uint64_t vaddr)
{
    return vaddr / PLAN_ENTRY_WINDOW % FILTER_BITS;
}

static void filter_add(struct filter *filter, uint64_t vaddr)
{
    uint64_t block = block_of(vaddr);
    filter->bits[block / 64] |= UINT64_C(1) << block % 64;
}

void plan_learn_entries(const struct plan_image *image,
                        struct plan_entry *entries, uint32_t count)
{
    struct filter filter = {{0}};
    uint64_t low = count > 0 ? entries[0].vaddr : 0;
    uint64_t span = count > 0 ? entries[count - 1].vaddr - low : 0;
    span += PLAN_ENTRY_WINDOW;
    for (uint32_t i = 0; i < count; i++) {
        entries[i] =
            (struct plan_entry){.vaddr = entries[i].vaddr, .label = UINT64_MAX};
        filter_add(&filter, entries[i].vaddr);
        filter_add(&filter, entries[i].vaddr + PLAN_ENTRY_WINDOW - 1);
    }
    for (int dynamic = 1; dynamic >= 0; dynamic--) {
        const char *table = dynamic ? image->dynsym : image->symtab;
        uint64_t n = dynamic ? image->dynsym_count : image->symtab_count;
        for (uint64_t i = 0; table != NULL && i < n; i++) {
            uint64_t value;
            memcpy(&value,
                   table + i * sizeof(Elf64_Sym) +
                       offsetof(Elf64_Sym, st_value),
                   sizeof value);
            uint64_t block = block_of(value);
            if (value - low < span && filter.bits[block / 64] >> block % 64 & 1)
                learn_symbol(image, dynamic, i, entries, count);
        }
    }
}

const struct plan_entry *plan_find_entry(const struct plan_image *image,
                                         uint64_t vaddr)
{
    uint32_t rank = rank_of(image->entries, image->entry_count, vaddr);
    if (rank == 0 || image->entries[rank - 1].vaddr != vaddr)
        return NULL;
    return &image->entries[rank - 1];
}

enum plan_verdict patch_check_names(struct patch_job *job)
{
    const struct plan_image *image = job->reader.image;
    const struct plan_entry *entry = plan_find_entry(image, job->vaddr);
    struct plan_entry one = {.vaddr = job->vaddr};
    if (entry == NULL) {
        plan_learn_entries(image, &one, 1);
        entry = &one;
    }
    if (entry->is_ifunc)
        return PLAN_IFUNC_RESOLVER;
    if (entry->is_part)
        return PLAN_PART;
    job->is_excluded |= entry->is_excluded;
    uint64_t next = plan_fde_next_start(image, job->vaddr);
    if (entry->label < next)
        next = entry->label;
    uint64_t room = image_bytes_from(image, job->vaddr);
    job->limit = next - job->vaddr < room ? next : job->vaddr + room;
    return PLAN_OK;
}
