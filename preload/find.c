/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the names of the manifest to functions. Exact names go through
 * .gnu.hash (microseconds in a library of 45,000 symbols); globs and C++
 * names as people read them need one pass over the symbols. A demangler is
 * not carried along: the one of the program's own libstdc++ is used, and only
 * on names that contain the last identifier.
 */
#include "preload/find.h"
#include "preload/find_ifunc.h"
#include "preload/find_names.h"
#include "shim/plan/cxx_name.h"
#include "shim/plan/rust_name.h"
#include <stdlib.h>
#include <string.h>

typedef char *demangle_fn(const char *mangled, char *buf, size_t *len_bytes,
                          int *status);

static demangle_fn *find_demangler(void)
{
    struct plan_symbol symbol;
    for (uint32_t i = 0; i < modules.count; i++) {
        struct module *module = &modules.at[i];
        const char *name = text_basename(module->path);
        if (!module->is_usable || (strncmp(name, "libstdc++", 9) != 0 &&
                                   strncmp(name, "libc++abi", 9) != 0))
            continue;
        if (plan_image_find_symbol(&module->image, "__cxa_demangle", &symbol) ==
            0)
            return (demangle_fn *)(module->base + symbol.vaddr);
    }
    return NULL;
}

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

bool find_needs_demangler(const struct manifest_decl *decl)
{
    return decl->symbol && is_demangled(decl->symbol) && !find_demangler();
}

struct search {
    struct module *module;
    const struct manifest_decl *decl;
    find_fn *each;
    void *context;
    int count;
    bool with_file;
    const char *name; /* that is looked for */
    /* for a demangled name */
    demangle_fn *demangle;
    char *buf;
    size_t buf_bytes;
    char part[128]; /* the identifier before the parameters */
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

/* Rust: `_R...`, or `_ZN...` with a hash at its end, which a C++ demangler
 * takes for a namespace. */
static bool is_rust_match(const struct search *search, const char *mangled)
{
    char name[512];
    return rust_name(mangled, name, sizeof(name)) &&
           name_is_same(name, search->decl->symbol);
}

static int match_demangled(void *context, const struct plan_symbol *symbol)
{
    struct search *search = context;
    const char *name = symbol->name;
    int status;
    if (*name != '_' || (name[1] != 'Z' && name[1] != 'R') ||
        symbol->vaddr == 0 || !strstr(name, search->part))
        return 0;
    if (is_rust_match(search, name))
        return found(search, name, symbol->vaddr);
    if (!search->demangle || name[1] != 'Z')
        return 0;
    char *text =
        search->demangle(name, search->buf, &search->buf_bytes, &status);
    if (!text || status != 0)
        return 0;
    search->buf = text;
    if (!name_is_meant(text, search->decl->symbol))
        return 0;
    return found(search, name, symbol->vaddr);
}

/* "ns::Loader::load(int)" has the identifier "load", which stands in the
 * mangled name; an operator or a template argument has none: any name. */
static void take_part(struct search *search)
{
    const char *name = search->decl->symbol;
    const char *end = strchr(name, '(');
    if (!end)
        end = name + strlen(name);
    const char *start = end;
    while (start > name && name_has(start[-1]))
        start--;
    if ((size_t)(end - start) >= sizeof(search->part) ||
        strstr(name, "operator"))
        end = start;
    memcpy(search->part, start, (size_t)(end - start));
    search->part[end - start] = '\0';
}

static int find_demangled(struct search *search)
{
    search->demangle = find_demangler(); /* Rust's names need none */
    take_part(search);
    search->buf_bytes = 1024;
    search->buf = malloc(search->buf_bytes);
    if (!search->buf)
        return 0;
    int result = plan_image_each_function(&search->module->image,
                                          match_demangled, search);
    free(search->buf);
    return result;
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

/* An exported name is one function; a static one may be several, of several
 * files, and clones. */
static int find_exact(struct search *search, const char *name)
{
    struct plan_symbol symbol;
    const struct plan_image *image = &search->module->image;
    search->name = name;
    if (!search->decl->file && !search->with_file &&
        plan_image_find_dynamic(image, name, &symbol) == 0 &&
        symbol.vaddr != 0 && (symbol.is_exported || !image->symtab))
        return found_symbol(search, &symbol);
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
    else if (decl->symbol && is_demangled(decl->symbol))
        result = find_demangled(&search);
    else if (decl->symbol || decl->ident)
        result = find_exact(&search, decl->symbol ? decl->symbol : decl->ident);
    else
        result = 0;
    return result < 0 ? result : search.count;
}
