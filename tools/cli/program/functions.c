/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to functions: the search of bind/find.h over files, with libiberty for
 * C++ names, as the preload has it (preload/demangle/).
 */
#include "tools/cli/program/functions.h"
#include "bind/names.h"
#include "shim/plan/names/cxx_name.h"
#include "shim/plan/plan.h"
#include "shim/plan/names/rust_name.h"
#include "tools/cli/program/object_names.h"
#include "tools/cli/program/object_parts.h"
#include <errno.h>
#include <libiberty/demangle.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAID_BYTES = 4096
};

/* ---- objects ------------------------------------------------------------ */

static bool get_object(void *context, uint32_t index, struct bind_object *out)
{
    const struct objects *objects = context;
    *out = object_as_bound(&objects->at[index]);
    return true;
}

static void add_symtab(void *context, uint32_t index)
{
    const struct objects *objects = context;
    object_add_symtab(objects, &objects->at[index]);
}

static int each_named(void *context, uint32_t index, const char *name,
                      bind_file_fn *each, void *with)
{
    const struct object *object = &((const struct objects *)context)->at[index];
    return object_names_each(object->names, &object->image, name, each, with);
}

/* ---- readable names ----------------------------------------------------- */

struct reading {
    const char *wanted; /* name or glob */
    bool is_glob;
    const char *part; /* an identifier that it must have; NULL: none */
    size_t part_len;
    bind_symbol_fn *each;
    void *with;
};

static bool is_part(void *context, const char *part, size_t len)
{
    const struct reading *r = context;
    return len == r->part_len && memcmp(part, r->part, len) == 0;
}

static bool is_meant(const struct reading *r, const char *readable)
{
    return r->is_glob ? bind_match_readable(r->wanted, readable)
                      : name_is_meant(readable, r->wanted);
}

/* Few names need to be demangled. */
static int read_symbol(void *context, const struct plan_symbol *symbol)
{
    struct reading *r = context;
    char rust[512];
    if (symbol->vaddr == 0 ||
        (r->part && !name_any_part(symbol->name, is_part, r)))
        return 0;
    if (rust_name(symbol->name, rust, sizeof rust) && is_meant(r, rust))
        return r->each(r->with, symbol);
    char *text = cplus_demangle_v3(symbol->name, DMGL_PARAMS | DMGL_TYPES);
    if (text)
        bind_cut_suffix(symbol->name, text);
    bool is_it = text && is_meant(r, text);
    free(text);
    return is_it ? r->each(r->with, symbol) : 0;
}

static int read_all(const struct object *object, struct reading *r)
{
    return object_parts_each(object->parts, &object->image, r->part,
                             r->part_len, read_symbol, r);
}

static int each_readable(void *context, uint32_t index, const char *name,
                         bind_symbol_fn *each, void *with)
{
    const struct objects *objects = context;
    struct reading r = {.wanted = name, .each = each, .with = with};
    r.part = name_part(name, &r.part_len);
    return read_all(&objects->at[index], &r);
}

static int each_matching(void *context, uint32_t index, const char *glob,
                         bind_symbol_fn *each, void *with)
{
    const struct objects *objects = context;
    struct reading r = {
        .wanted = glob, .is_glob = true, .each = each, .with = with};
    r.part = bind_glob_part(glob, &r.part_len);
    return read_all(&objects->at[index], &r);
}

struct bind_world functions_world(const struct objects *objects)
{
    return (struct bind_world){
        .context = (void *)(uintptr_t)objects,
        .count = (uint32_t)objects->count,
        .object = get_object,
        .add_symtab = add_symtab,
        .each_named = each_named,
        .each_readable = each_readable,
        .each_matching = each_matching,
    };
}

/* ---- functions ---------------------------------------------------------- */

struct found {
    const struct objects *objects;
    struct functions *out;
};

static int add(void *context, uint32_t index, const char *name, uint64_t vaddr)
{
    const struct found *found = context;
    const struct object *object = &found->objects->at[index];
    struct functions *f = found->out;
    f->name_count++;
    /* more are not traced anyhow: only counted */
    for (size_t i = f->count <= 2 * PLAN_HANDLERS_MAX ? f->count : 0;
         i-- > 0 && f->at[i].object == object;)
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
    f->at[f->count] = (struct function){.object = object,
                                        .name = name,
                                        .vaddr = vaddr,
                                        .rank = f->name_count - 1};
    buf_init(&f->at[f->count++].said, SAID_BYTES);
    return 0;
}

int functions_find(const struct objects *objects,
                   const struct manifest_decl *decl, struct functions *out)
{
    struct bind_world world = functions_world(objects);
    struct found found = {objects, out};
    *out = (struct functions){0};
    int n = bind_find(&world, decl, add, &found);
    if (n < 0)
        functions_free(out);
    return n < 0 ? n : 0;
}

void functions_free(struct functions *f)
{
    for (size_t i = 0; i < f->count; i++)
        buf_free(&f->at[i].said);
    free(f->at);
    *f = (struct functions){0};
}
