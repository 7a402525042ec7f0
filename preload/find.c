/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the names of the manifest to functions. Exact names go through
 * .gnu.hash (microseconds in a library of 45,000 symbols); globs and C++
 * names as people read them need one pass over the symbols (find_cxx.h).
 */
#include "preload/find.h"
#include "preload/find_cxx.h"
#include "preload/find_ifunc.h"
#include "preload/find_names.h"
#include "shim/plan/cxx_variant.h"
#include <string.h>

static bool is_demangled(const char *name)
{
    return strchr(name, '(') || strstr(name, "::") || strchr(name, ' ');
}

const char *find_exact_name(const struct manifest_decl *decl)
{
    const char *name = decl->symbol ? decl->symbol : decl->ident;
    if (decl->has_at || decl->match || !name ||
        (decl->symbol && is_demangled(name)))
        return NULL;
    return name;
}

const char *find_readable_name(const struct manifest_decl *decl)
{
    return !decl->has_at && !decl->match && decl->symbol &&
                   is_demangled(decl->symbol)
               ? decl->symbol
               : NULL;
}

struct search {
    struct module *module;
    const struct manifest_decl *decl;
    find_fn *each;
    void *context;
    int count;
    bool with_file;
    const char *name; /* that is looked for */
};

static int found(struct search *search, const char *name, uint64_t vaddr)
{
    search->count++;
    return search->each(search->context, search->module, name, vaddr);
}

/* Of an ifunc calls reach what its resolver chose. A glob means what has a
 * name, and the implementations have theirs. */
static int found_symbol(struct search *search, const struct plan_symbol *symbol)
{
    uint64_t vaddr = symbol->vaddr;
    if (symbol->is_ifunc)
        find_ifunc_target(search->module, symbol->name, symbol->vaddr, &vaddr);
    return found(search, symbol->name, vaddr ? vaddr : symbol->vaddr);
}

static int match_glob(void *context, const struct plan_symbol *symbol)
{
    struct search *search = context;
    if (!symbol->is_function || symbol->vaddr == 0 ||
        !manifest_match_glob(search->decl->match, symbol->name))
        return 0;
    return found(search, symbol->name, symbol->vaddr);
}

static int match_glob_in_file(void *context, const struct plan_symbol *symbol,
                              const char *file)
{
    const struct search *search = context;
    if (!file ||
        strcmp(text_basename(file), text_basename(search->decl->file)) != 0)
        return 0;
    return match_glob(context, symbol);
}

static int match_readable(void *context, const struct plan_symbol *symbol)
{
    struct search *search = context;
    return variant_passes_on(&search->module->image, symbol)
               ? 0
               : found(search, symbol->name, symbol->vaddr);
}

/* What the compiler made of `name`: other arguments, the same body. A .part
 * or .cold is no whole function. */
static bool is_clone_of(const char *symbol, const char *name)
{
    static const char *const marks[] = {".constprop.", ".isra.", ".lto_priv."};
    size_t len = strlen(name);
    if (strncmp(symbol, name, len) != 0 || strstr(symbol, ".cold") ||
        strstr(symbol, ".part."))
        return false;
    for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
        if (strncmp(symbol + len, marks[i], strlen(marks[i])) == 0)
            return true;
    }
    return false;
}

static int match_in_file(void *context, const struct plan_symbol *symbol,
                         const char *file)
{
    struct search *search = context;
    const char *want = search->decl->file;
    if (symbol->vaddr == 0 || (strcmp(symbol->name, search->name) != 0 &&
                               !is_clone_of(symbol->name, search->name)))
        return 0;
    if (want && (!file || strcmp(text_basename(file), text_basename(want))))
        return 0;
    return found_symbol(search, symbol);
}

static int match_version(void *context, const struct plan_symbol *symbol)
{
    return symbol->vaddr != 0 ? found_symbol(context, symbol) : 0;
}

/* An exported name is one function, or one of each version; a static one may
 * be several, of several files, and clones. */
static int find_exact(struct search *search, const char *name)
{
    struct plan_symbol symbol;
    const struct plan_image *image = &search->module->image;
    search->name = name;
    if (!search->decl->file && !search->with_file &&
        plan_image_find_dynamic(image, name, &symbol) == 0 &&
        symbol.vaddr != 0 && (symbol.is_exported || !image->symtab))
        return plan_image_each_version(image, name, match_version, search);
    /* .symtab may be here already: then it may have several */
    return image->symtab
               ? names_each(search->module, name, match_in_file, search)
               : 0;
}

static int find_address(struct search *search)
{
    struct plan_symbol symbol;
    const struct manifest_decl *decl = search->decl;
    const char *name = decl->ident ? decl->ident : decl->name;
    if (!plan_image_at(&search->module->image, decl->at, 1))
        return 0;
    if (plan_image_symbol_at(&search->module->image, decl->at, &symbol) == 0)
        name = symbol.name;
    return found(search, name ? name : "", decl->at);
}

int find_functions(struct module *module, const struct manifest_decl *decl,
                   bool with_file, find_fn *each, void *context)
{
    struct search search = {.module = module,
                            .decl = decl,
                            .each = each,
                            .context = context,
                            .with_file = with_file};
    int result;
    if (!module->is_usable)
        return 0;
    if (with_file)
        module_add_symtab(module);
    if (decl->has_at)
        result = find_address(&search);
    else if (decl->match && decl->file)
        result = plan_image_each_in_file(&module->image, match_glob_in_file,
                                         &search);
    else if (decl->match)
        result = plan_image_each_function(&module->image, match_glob, &search);
    else if (find_readable_name(decl))
        result = cxx_each(module, decl->symbol, match_readable, &search);
    else if (decl->symbol || decl->ident)
        result = find_exact(&search, decl->symbol ? decl->symbol : decl->ident);
    else
        result = 0;
    return result < 0 ? result : search.count;
}
