/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the names of the manifest to functions. Exact names go through
 * .gnu.hash (microseconds in a library of 45,000 symbols); globs and C++
 * names as people read them need one pass over the symbols. A demangler is
 * not carried along: the one of the program's own libstdc++ is used, and only
 * on names that contain the last identifier.
 */
#include "preload/find.h"
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

static int match_glob(void *context, const struct plan_symbol *symbol)
{
    struct search *search = context;
    if (!symbol->is_function || symbol->vaddr == 0 ||
        !manifest_match_glob(search->decl->match, symbol->name))
        return 0;
    return found(search, symbol->name, symbol->vaddr);
}

/* Spaces do not count: "f(char const*, int)" is "f(char const *,int)". */
static bool is_same_name(const char *a, const char *b)
{
    for (;;) {
        while (*a == ' ')
            a++;
        while (*b == ' ')
            b++;
        if (*a != *b)
            return false;
        if (*a == '\0')
            return true;
        a++;
        b++;
    }
}

static int match_demangled(void *context, const struct plan_symbol *symbol)
{
    struct search *search = context;
    int status;
    if (strncmp(symbol->name, "_Z", 2) != 0 || symbol->vaddr == 0 ||
        !strstr(symbol->name, search->part))
        return 0;
    char *text = search->demangle(symbol->name, search->buf, &search->buf_bytes,
                                  &status);
    if (!text || status != 0)
        return 0;
    search->buf = text;
    if (!is_same_name(text, search->decl->symbol))
        return 0;
    return found(search, symbol->name, symbol->vaddr);
}

static bool is_identifier(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_';
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
    while (start > name && is_identifier(start[-1]))
        start--;
    if ((size_t)(end - start) >= sizeof(search->part) ||
        strstr(name, "operator"))
        end = start;
    memcpy(search->part, start, (size_t)(end - start));
    search->part[end - start] = '\0';
}

static int find_demangled(struct search *search)
{
    search->demangle = find_demangler();
    if (!search->demangle)
        return 0;
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

static int find_exact(struct search *search, const char *name)
{
    struct plan_symbol symbol;
    if (plan_image_find_symbol(&search->module->image, name, &symbol) != 0 ||
        symbol.vaddr == 0)
        return 0;
    return found(search, symbol.name, symbol.vaddr);
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
    struct search search = {
        .module = module, .decl = decl, .each = each, .context = context};
    int result;
    if (!module->is_usable)
        return 0;
    if (with_file)
        module_add_symtab(module);
    if (decl->has_at)
        result = find_address(&search);
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
