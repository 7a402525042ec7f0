/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who else reads stacks, and how Z's frames would be his end.
 *
 * Collectors that read word by word, known by what they export: what a caller
 * keeps in rbp must stand there, whoever's function it called. (Those that walk
 * frames meet Z's only where code without unwind tables calls, and that is left
 * alone at the call itself.)
 *
 * Unwinders inside of an object (-static-libgcc) that exports nothing of them:
 * a frame of Z's is taken down with their help, and they cannot be found.
 */
#include "shim/plan/image/image_internal.h"
#include "shim/plan/image/unwind.h"

static bool has_exceptions(const struct plan_image *image)
{
    struct plan_fde_cursor cursor = {0};
    struct plan_fde fde;
    for (uint64_t at; plan_fde_next(image, &cursor, &at);)
        if (plan_fde_find(image, at, &fde) == 0 && fde.lsda != 0)
            return true;
    return false;
}

/* Does it ask the loader for unwind tables, as unwinders do, and nobody else
 * for unwinding? */
static bool looks_for_tables(const struct plan_image *image)
{
    bool looks = false;
    Elf64_Sym raw;
    for (uint64_t i = 1; image_symbol_get(image, true, i, &raw); i++) {
        if (raw.st_name >= image->dynstr_len)
            continue;
        const char *name = image->dynstr + raw.st_name;
        if (strncmp(name, "_Unwind_", 8) == 0)
            return false; /* another's, or one that can be found */
        looks |= raw.st_shndx == SHN_UNDEF &&
                 (strcmp(name, "_dl_find_object") == 0 ||
                  strcmp(name, "dl_iterate_phdr") == 0);
    }
    return looks;
}

static const char *find_collector(const struct plan_image *image)
{
    static const struct {
        const char *symbol, *text;
    } known[] = {
        {"GC_gcollect", "the Boehm collector reads stacks word by word"},
        {"rb_gc_start", "Ruby's collector reads stacks word by word"},
        {"mono_gc_collect", "Mono's collector reads stacks word by word"},
        {"JSGarbageCollect", "JavaScriptCore reads stacks word by word"},
    };
    struct plan_symbol symbol;
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
        if (plan_image_find_dynamic(image, known[i].symbol, &symbol) == 0)
            return known[i].text;
    }
    return NULL;
}

const char *plan_image_collector(const struct plan_image *image)
{
    const char *found = find_collector(image);
    if (!found && looks_for_tables(image) && has_exceptions(image))
        found = "an object has an unwinder of its own (-static-libgcc): an "
                "exception would not get past Z";
    return found;
}
