/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to functions, by the rules of preload/find.c: address, exact name
 * (exported ones of every object, else the first static one), glob (static
 * ones in the executable and where an object is named), C++ names as people
 * read them.
 */
#include "tools/cli/functions.h"
#include "tools/cli/object_names.h"
#include "shim/plan/cxx_name.h"
#include "shim/plan/cxx_variant.h"
#include "shim/plan/plan.h"
#include "shim/plan/rust_name.h"
#include <errno.h>
#include <libiberty/demangle.h>
#include <stdlib.h>
#include <string.h>

bool function_is_clone(const char *name)
{
    static const char *const marks[] = {".constprop.", ".isra.", ".part.",
                                        ".lto_priv."};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strstr(name, marks[i]))
            return true;
    return false;
}

static bool is_demangled(const char *name)
{
    return strchr(name, '(') || strstr(name, "::") || strchr(name, ' ');
}

struct search {
    const struct object *object;
    const struct manifest_decl *decl;
    struct functions *out;
};

static int add(struct search *s, const char *name, uint64_t vaddr)
{
    struct functions *f = s->out;
    /* more are refused anyhow: only counted */
    for (size_t i = f->count <= 2 * PLAN_HANDLERS_MAX ? f->count : 0;
         i-- > 0 && f->at[i].object == s->object;)
        if (f->at[i].vaddr == vaddr)
            return 0;
    if (f->count == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 16;
        void *grown = realloc(f->at, cap * sizeof *f->at);
        if (!grown)
            return -ENOMEM;
        f->at = grown;
        f->cap = cap;
    }
    f->at[f->count++] = (struct function){s->object, name, vaddr, false};
    return 0;
}

static int match_glob(void *context, const struct plan_symbol *symbol)
{
    struct search *s = context;
    bool looks_inside = s->object->kind == OBJECT_MAIN ||
                        s->decl->object->kind != MANIFEST_OBJECT_ANY;
    if (!symbol->is_function || symbol->vaddr == 0 ||
        (!symbol->is_exported && !looks_inside) ||
        !manifest_match_glob(s->decl->match, symbol->name))
        return 0;
    return add(s, symbol->name, symbol->vaddr);
}

static bool is_part(void *context, const char *part, size_t len)
{
    size_t wanted;
    const char *name = name_part(context, &wanted);
    return wanted == len && memcmp(name, part, len) == 0;
}

/* Few names need to be demangled. */
static bool has_part(const char *mangled, const char *wanted)
{
    size_t len;
    return !name_part(wanted, &len) ||
           name_any_part(mangled, is_part, (void *)wanted);
}

static int match_demangled(void *context, const struct plan_symbol *symbol)
{
    struct search *s = context;
    char name[512];
    if (symbol->name[0] != '_' || !strchr("ZR", symbol->name[1]) ||
        symbol->vaddr == 0 || !has_part(symbol->name, s->decl->symbol))
        return 0;
    if (rust_name(symbol->name, name, sizeof name) &&
        name_is_same(name, s->decl->symbol))
        return add(s, symbol->name, symbol->vaddr);
    /* as the preload reads it (preload/demangle/) */
    char *text = cplus_demangle_v3(symbol->name, DMGL_PARAMS | DMGL_TYPES);
    bool is_meant = text && name_is_meant(text, s->decl->symbol) &&
                    !variant_passes_on(&s->object->image, symbol);
    free(text);
    return is_meant ? add(s, symbol->name, symbol->vaddr) : 0;
}

static int find_address(struct search *s)
{
    struct plan_symbol symbol;
    const char *name = s->decl->ident ? s->decl->ident : s->decl->name;
    uint64_t end;
    if (plan_image_function_extent(&s->object->image, s->decl->at, &end) < 0)
        return 0;
    if (plan_image_symbol_at(&s->object->image, s->decl->at, &symbol) == 0)
        name = symbol.name;
    return add(s, name ? name : "?", s->decl->at);
}

/* What the compiler made of `name`: other arguments, the same body. */
static bool is_clone_of(const char *symbol, const char *name)
{
    size_t len = strlen(name);
    return strncmp(symbol, name, len) == 0 && symbol[len] == '.' &&
           function_is_clone(symbol) && !strstr(symbol, ".cold") &&
           !strstr(symbol, ".part.");
}

static const char *basename_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_of_file(const struct search *s, const char *file)
{
    return !s->decl->file ||
           (file && strcmp(basename_of(file), basename_of(s->decl->file)) == 0);
}

static int match_in_file(void *context, const struct plan_symbol *symbol,
                         const char *file)
{
    struct search *s = context;
    const char *name = s->decl->symbol ? s->decl->symbol : s->decl->ident;
    if (symbol->vaddr == 0 || !is_of_file(s, file) ||
        (strcmp(symbol->name, name) != 0 && !is_clone_of(symbol->name, name)))
        return 0;
    return add(s, symbol->name, symbol->vaddr);
}

static int match_glob_in_file(void *context, const struct plan_symbol *symbol,
                              const char *file)
{
    const struct search *s = context;
    return s->decl->file && is_of_file(s, file) ? match_glob(context, symbol)
                                                : 0;
}

static int add_version(void *context, const struct plan_symbol *symbol)
{
    return symbol->vaddr ? add(context, symbol->name, symbol->vaddr) : 0;
}

/* An exported name is one function; a static one may be several, of several
 * files, and clones. */
static int find_exact(struct search *s, bool exported)
{
    struct plan_symbol symbol;
    const struct plan_image *image = &s->object->image;
    const char *name = s->decl->symbol ? s->decl->symbol : s->decl->ident;
    if (!name)
        return 0;
    if (!exported)
        return object_names_each(s->object->names, image, name, match_in_file,
                                 s);
    if (s->decl->file || plan_image_find_dynamic(image, name, &symbol) < 0 ||
        symbol.vaddr == 0 || !symbol.is_exported)
        return 0;
    return plan_image_each_version(image, name, add_version, s);
}

static int find_in(struct search *s, bool exported)
{
    const struct manifest_decl *decl = s->decl;
    if (decl->has_at)
        return exported ? find_address(s) : 0;
    if (decl->match && decl->file)
        return exported ? 0
                        : plan_image_each_in_file(&s->object->image,
                                                  match_glob_in_file, s);
    if (decl->match)
        return exported
                   ? plan_image_each_function(&s->object->image, match_glob, s)
                   : 0;
    if (decl->symbol && is_demangled(decl->symbol))
        return exported ? plan_image_each_function(&s->object->image,
                                                   match_demangled, s)
                        : 0;
    return find_exact(s, exported);
}

int functions_find(const struct objects *objects,
                   const struct manifest_decl *decl, struct functions *out)
{
    struct search s = {.decl = decl, .out = out};
    int err = 0;
    *out = (struct functions){0};
    for (int pass = 0; pass < 2 && !err && out->count == 0; pass++) {
        for (size_t i = 0; i < objects->count && !err; i++) {
            s.object = &objects->at[i];
            if (!object_matches(s.object, decl->object))
                continue;
            err = find_in(&s, pass == 0);
            if (pass == 1 && out->count &&
                decl->object->kind == MANIFEST_OBJECT_ANY)
                break;
        }
    }
    if (err)
        functions_free(out);
    return err;
}

void functions_free(struct functions *f)
{
    free(f->at);
    *f = (struct functions){0};
}
