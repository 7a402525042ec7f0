/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See find.h. Exact names go through .gnu.hash (microseconds in a library of
 * 45,000 symbols); globs and readable names need one pass over the symbols.
 */
#include "bind/find.h"
#include "bind/names.h"
#include "shim/plan/names/cxx_variant.h"
#include <string.h>

enum {
    FILES_MAX = 64 /* read for the sake of one declaration */
};

struct search {
    const struct bind_world *world;
    const struct manifest_decl *decl;
    bind_found_fn *each;
    void *context;
    struct bind_object object;
    uint32_t index;     /* of it */
    bool is_exported;   /* first pass: static functions are not meant */
    bool is_inside;     /* a glob means its static functions, too */
    const char *name;   /* that is looked for */
    const char *global; /* a function of C++ of that name */
    bool is_overloaded; /* there are several: which one is not said */
    int count;
};

static int found(struct search *s, const char *name, uint64_t vaddr)
{
    s->count++;
    return s->each(s->context, s->index, name, vaddr);
}

/* Of an ifunc calls reach what its resolver chose. */
static int found_symbol(struct search *s, const struct plan_symbol *symbol)
{
    uint64_t target = 0;
    if (symbol->is_ifunc && s->world->ifunc_target)
        target = s->world->ifunc_target(s->world->context, s->index, symbol);
    return found(s, symbol->name, target ? target : symbol->vaddr);
}

/* ---- globs --------------------------------------------------------------- */

static bool is_of_file(const struct search *s, const char *file)
{
    const char *want = s->decl->file;
    return !want ||
           (file && strcmp(bind_basename(file), bind_basename(want)) == 0);
}

/* A cold half whose function matches is that function's. The glob of the whole
 * is asked for the first bytes of a name, so they are copied. */
static bool is_half_of_match(const struct search *s, const char *symbol)
{
    char whole[1024];
    size_t len = bind_cold_half_of(symbol);
    if (len == 0 || len >= sizeof(whole))
        return false;
    memcpy(whole, symbol, len);
    whole[len] = '\0';
    return manifest_match_glob(s->decl->match, whole);
}

static bool is_meant(const struct search *s, const struct plan_symbol *symbol)
{
    return symbol->is_function && symbol->vaddr != 0 &&
           (symbol->is_exported || s->is_inside);
}

/* A glob means what has a name, and what an ifunc may choose has its own. */
static int match_glob(void *context, const struct plan_symbol *symbol)
{
    struct search *s = context;
    if (!is_meant(s, symbol) ||
        !manifest_match_glob(s->decl->match, symbol->name) ||
        is_half_of_match(s, symbol->name))
        return 0;
    return found(s, symbol->name, symbol->vaddr);
}

static int match_glob_in_file(void *context, const struct plan_symbol *symbol,
                              const char *file)
{
    return is_of_file(context, file) ? match_glob(context, symbol) : 0;
}

static int match_matching(void *context, const struct plan_symbol *symbol)
{
    struct search *s = context;
    if (!is_meant(s, symbol) || bind_cold_half_of(symbol->name))
        return 0;
    return found(s, symbol->name, symbol->vaddr);
}

/* ---- names --------------------------------------------------------------- */

static int match_readable(void *context, const struct plan_symbol *symbol)
{
    struct search *s = context;
    if (symbol->vaddr == 0 || (s->is_exported && !symbol->is_exported) ||
        bind_cold_half_of(symbol->name) ||
        variant_passes_on(s->object.image, symbol, !s->is_exported))
        return 0;
    return found(s, symbol->name, symbol->vaddr);
}

static int match_in_file(void *context, const struct plan_symbol *symbol,
                         const char *file)
{
    struct search *s = context;
    if (symbol->vaddr == 0 || !is_of_file(s, file) ||
        (strcmp(symbol->name, s->name) != 0 &&
         !bind_is_made_of(symbol->name, s->name)))
        return 0;
    return found_symbol(s, symbol);
}

/* Of a symbol without suffixes. */
static size_t base_bytes(const char *symbol)
{
    const char *dot = strchr(symbol, '.');
    return dot ? (size_t)(dot - symbol) : strlen(symbol);
}

/* Two of them with other parameters? Their clones have the same. */
static int look_global(void *context, const struct plan_symbol *symbol,
                       const char *file)
{
    struct search *s = context;
    if (symbol->vaddr == 0 || !symbol->is_function || !is_of_file(s, file) ||
        !bind_is_global(symbol->name, s->name))
        return 0;
    size_t len = base_bytes(symbol->name);
    if (!s->global)
        s->global = symbol->name;
    s->is_overloaded |= strncmp(s->global, symbol->name, len) != 0 ||
                        base_bytes(s->global) != len;
    return 0;
}

static int match_global(void *context, const struct plan_symbol *symbol,
                        const char *file)
{
    struct search *s = context;
    if (symbol->vaddr == 0 || !symbol->is_function || !is_of_file(s, file) ||
        !bind_is_global(symbol->name, s->name))
        return 0;
    return found_symbol(s, symbol);
}

static bool is_class(const struct manifest_type *type)
{
    return type->kind == MANIFEST_OPAQUE ||
           (type->kind == MANIFEST_RECORD && !manifest_is_member_pointer(type));
}

/* Is a class among what it passes? How that is passed C cannot say: one with a
 * constructor of copies goes by a pointer. */
static bool has_class(const struct manifest_decl *decl)
{
    if (!decl->has_prototype)
        return false;
    bool has = is_class(decl->return_type);
    for (uint32_t i = 0; i < decl->param_count; i++)
        has |= is_class(decl->params[i].type);
    return has;
}

/* A name of C that only a function of C++ has, in no namespace: pasted from its
 * source. */
static int find_global(struct search *s)
{
    const struct bind_world *world = s->world;
    s->global = NULL;
    s->is_overloaded = false;
    if (has_class(s->decl))
        return 0;
    (void)!world->each_named(world->context, s->index, s->name, look_global, s);
    if (!s->global || s->is_overloaded || !bind_global_fits(s->global, s->decl))
        return 0;
    return world->each_named(world->context, s->index, s->name, match_global,
                             s);
}

static int match_version(void *context, const struct plan_symbol *symbol)
{
    return symbol->vaddr != 0 ? found_symbol(context, symbol) : 0;
}

/* An exported name is one function, or one of each version; a static one may
 * be several, of several files, and clones. */
static int find_exact(struct search *s, const char *name)
{
    struct plan_symbol symbol;
    const struct bind_world *world = s->world;
    const struct plan_image *image = s->object.image;
    s->name = name;
    if (!s->is_exported) {
        int before = s->count;
        int err = image->symtab ? world->each_named(world->context, s->index,
                                                    name, match_in_file, s)
                                : 0;
        return err || s->count > before || !image->symtab ? err
                                                          : find_global(s);
    }
    if (plan_image_find_dynamic(image, name, &symbol) != 0 ||
        symbol.vaddr == 0 || !symbol.is_exported)
        return 0;
    return plan_image_each_version(image, name, match_version, s);
}

static int find_address(struct search *s)
{
    struct plan_symbol symbol;
    uint64_t end;
    const struct manifest_decl *decl = s->decl;
    const char *name = decl->ident ? decl->ident : decl->name;
    if (plan_image_function_extent(s->object.image, decl->at, &end) != 0)
        return 0;
    if (plan_image_symbol_at(s->object.image, decl->at, &symbol) == 0)
        name = symbol.name;
    return found(s, name ? name : "", decl->at);
}

/* ---- one object, all objects --------------------------------------------- */

static int find_in(struct search *s)
{
    const struct bind_world *world = s->world;
    const struct manifest_decl *decl = s->decl;
    const char *glob = bind_readable_glob(decl);
    const char *readable = bind_readable_name(decl);
    const char *exact = bind_exact_name(decl);
    if (decl->has_at)
        return find_address(s);
    if (glob)
        return world->each_matching(world->context, s->index, glob,
                                    match_matching, s);
    if (decl->match && decl->file)
        return plan_image_each_in_file(s->object.image, match_glob_in_file, s);
    if (decl->match)
        return plan_image_each_function(s->object.image, match_glob, s);
    if (readable)
        return world->each_readable(world->context, s->index, readable,
                                    match_readable, s);
    return exact ? find_exact(s, exact) : 0;
}

bool bind_covers(const struct bind_world *world,
                 const struct manifest_decl *decl, uint32_t index,
                 struct bind_object *out)
{
    return world->object(world->context, index, out) &&
           bind_in_scope(out, decl->object);
}

/* Of the exported functions, or of all. */
static int find_pass(struct search *s, bool is_exported)
{
    const struct bind_world *world = s->world;
    bool is_any = s->decl->object->kind == MANIFEST_OBJECT_ANY;
    uint32_t files = 0;
    s->is_exported = is_exported;
    for (s->index = 0; s->index < world->count; s->index++) {
        if (!bind_covers(world, s->decl, s->index, &s->object))
            continue;
        s->is_inside = !is_exported || !is_any || s->object.kind == BIND_MAIN;
        bool needs_file = !is_exported || (s->decl->match && s->is_inside);
        files += needs_file;
        if (files > FILES_MAX)
            break;
        if (needs_file)
            world->add_symtab(world->context, s->index);
        int stop = find_in(s);
        if (stop < 0)
            return stop;
        if (!is_exported && is_any && !s->decl->match && s->count > 0)
            break;
    }
    return 0;
}

int bind_find(const struct bind_world *world, const struct manifest_decl *decl,
              bind_found_fn *each, void *context)
{
    struct search s = {
        .world = world, .decl = decl, .each = each, .context = context};
    bool may_be_static = (!decl->match || decl->file) && !decl->has_at;
    int stop = decl->file ? 0 : find_pass(&s, true);
    if (stop == 0 && s.count == 0 && may_be_static)
        stop = find_pass(&s, false);
    return stop < 0 ? stop : s.count;
}
