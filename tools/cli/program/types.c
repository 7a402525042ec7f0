/* SPDX-License-Identifier: Apache-2.0 */
/* Types of the debug information for a manifest; see types.h. */
#include "tools/cli/program/types.h"
#include "bind/names.h"
#include "tools/cli/program/functions.h"
#include "tools/cli/program/symbols.h"
#include "tools/cli/program/types_paste.h"
#include "tools/dwarf/types.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUNDS_MAX = 16, /* a->b->c->d: each `->` can be one */
    TEXT_MAX_BYTES = 5 << 20,
    KEPT_FILES_MAX = 128,
    PARAMS_MAX = 127,
    SYMBOL_MAX = 1000,    /* bytes of a readable one */
    FUNCTIONS_MAX = 2000, /* of a glob; as many as are bound */
};

struct compile {
    const struct objects *objects;
    struct debug_types *debug; /* NULL: nothing was asked for so far */
    size_t wants;
    bool failed;
};

static bool open_objects(struct compile *c)
{
    if (c->debug)
        return true;
    c->debug = debug_types_new();
    for (size_t i = 0; c->debug && i < c->objects->count; i++)
        if (c->objects->at[i].kind != OBJECT_LOADER)
            c->failed |=
                debug_types_add_object(c->debug, c->objects->at[i].path) < 0;
    c->failed |= !c->debug;
    return c->debug != NULL;
}

/* Could a compiler know all calls of it? */
static bool is_local(const struct function *f)
{
    struct plan_symbol symbol;
    return plan_image_symbol_at(&f->object->image, f->vaddr, &symbol) == 0 &&
           symbol.is_local;
}

/* `readable`: of what was pasted. The variants of a constructor have symbols
 * of their own, so such are bound by that name. */
static void want_one(struct compile *c, const struct manifest_want *w,
                     const struct function *f, const char *readable)
{
    const char *params[PARAMS_MAX];
    struct debug_types_function wanted = {.object = f->object->path,
                                          .vaddr = f->vaddr,
                                          .name = w->name,
                                          .params = params};
    for (; w->is_pasted && wanted.param_count < w->param_count &&
           wanted.param_count < PARAMS_MAX;
         wanted.param_count++)
        params[wanted.param_count] = w->params[wanted.param_count].name;
    bool is_whole = w->pasted || !w->has_params;
    bool is_readable = is_whole && readable && strlen(readable) < SYMBOL_MAX;
    wanted.symbol = is_readable ? readable : w->is_pasted ? f->name : NULL;
    wanted.is_symbol_enough = w->is_pasted && is_whole;
    wanted.is_result_unsure = is_local(f);
    debug_types_want_function(c->debug, &wanted);
}

/* Every function that is meant: each may have parameters of its own. Where
 * there are only clones, of which no value is taken, the prototype is theirs:
 * what the manifest names is no error. */
static void want_function(struct compile *c, const struct manifest_want *w)
{
    struct functions found = {0};
    size_t plain = 0;
    char *readable = NULL;
    int err = w->is_pasted ? types_paste_find(c->objects, w, &found, &readable)
                           : functions_find(c->objects, w->decl, &found);
    for (size_t i = 0; !err && i < found.count && i < FUNCTIONS_MAX; i++)
        plain += !bind_is_clone(found.at[i].name);
    for (size_t i = 0; !err && i < found.count && i < FUNCTIONS_MAX; i++)
        if (plain == 0 || !bind_is_clone(found.at[i].name))
            want_one(c, w, &found.at[i], readable);
    functions_free(&found);
    free(readable);
}

static void want(void *context, const struct manifest_want *w)
{
    struct compile *c = context;
    c->wants++;
    if (!open_objects(c))
        return;
    switch (w->kind) {
    case MANIFEST_WANT_TYPE:
        debug_types_want_type(c->debug, w->name);
        break;
    case MANIFEST_WANT_CONSTANT:
        debug_types_want_constant(c->debug, w->name);
        break;
    case MANIFEST_WANT_FUNCTION:
        want_function(c, w);
        break;
    }
}

static void put_head(const struct compile *c, struct types *out)
{
    bool *has_debug = calloc(c->objects->count + 1, sizeof *has_debug);
    for (size_t i = 0; has_debug && i < c->objects->count; i++)
        has_debug[i] =
            c->debug && debug_types_has(c->debug, c->objects->at[i].path);
    if (has_debug)
        types_cache_head(&out->text, out->file.hash_all, c->wants, c->objects,
                         has_debug);
    free(has_debug);
}

static void set_text(const struct compile *c, struct types *out)
{
    buf_reset(&out->text);
    put_head(c, out);
    if (c->debug)
        buf_text(&out->text, debug_types_text(c->debug));
    out->source = (struct manifest_types){.file = "(debug information)",
                                          .text = buf_get(&out->text),
                                          .len_bytes = out->text.len_bytes};
}

int types_compile(const char *manifest, const struct objects *objects,
                  bool compares, struct types *out, char *why, size_t why_bytes)
{
    struct compile c = {.objects = objects};
    struct manifest_file_options options = {
        .want = want, .context = &c, .compares = compares};
    *out = (struct types){0};
    buf_init(&out->text, TEXT_MAX_BYTES);
    int err = 0, news = 1;
    for (int round = 0; !err && news > 0 && round < ROUNDS_MAX; round++) {
        manifest_file_free(&out->file);
        c.wants = 0;
        err = manifest_file_load_with(manifest, &options, &out->file, why,
                                      why_bytes);
        if (err)
            break;
        news = c.debug ? debug_types_find(c.debug) : 0;
        set_text(&c, out);
        options.types = &out->source;
    }
    if (!err && (news < 0 || c.failed || out->text.failed)) {
        snprintf(why, why_bytes, "out of memory");
        err = -ENOMEM;
    }
    out->unanswered = c.wants;
    out->remarks = c.debug ? strdup(debug_types_remarks(c.debug)) : NULL;
    debug_types_free(c.debug);
    if (err)
        types_free(out);
    return err;
}

void types_free(struct types *t)
{
    manifest_file_free(&t->file);
    buf_free(&t->text);
    free(t->remarks);
    *t = (struct types){0};
}

/* ---- the cache ---------------------------------------------------------- */

static void count_want(void *context, const struct manifest_want *w)
{
    (void)w;
    ++*(size_t *)context;
}

/* Parse with the types that are there. True: they answer all that can be
 * answered. */
static bool load_cached(const struct types_request *request,
                        const struct objects *objects,
                        struct types_cache *cache, uint64_t hash_all,
                        struct manifest_file *out)
{
    size_t wants = 0;
    char why[256];
    struct manifest_file_options options = {
        .types = &cache->types, .want = count_want, .context = &wants};
    if (!types_cache_read(cache, hash_all) ||
        manifest_file_load_with(request->manifest, &options, out, why,
                                sizeof why) < 0)
        return false;
    if (types_cache_covers(cache, objects, wants))
        return true;
    manifest_file_free(out);
    return false;
}

static int load_with_types(const struct types_request *request,
                           const struct objects *objects,
                           struct manifest_file *out, char *why,
                           size_t why_bytes)
{
    struct types_cache cache = {0};
    struct types types;
    struct manifest_file file;
    bool has_path = request->dir &&
                    types_cache_path(request->dir, out->hash, &objects->at[0],
                                     cache.path, sizeof cache.path);
    if (has_path &&
        load_cached(request, objects, &cache, out->hash_all, &file)) {
        manifest_file_free(out);
        *out = file;
        types_cache_free(&cache);
        return 0;
    }
    types_cache_free(&cache);
    int err = types_compile(request->manifest, objects, false, &types, why,
                            why_bytes);
    if (err)
        return err;
    if (has_path) {
        err = types_cache_write(cache.path, buf_get(&types.text),
                                types.text.len_bytes, KEPT_FILES_MAX);
        if (err)
            snprintf(why, why_bytes, "cannot write '%s': %s", cache.path,
                     strerror(-err));
    }
    manifest_file_free(out);
    *out = types.file;
    types.file = (struct manifest_file){0};
    types_free(&types);
    return err;
}

int types_load_manifest(const struct types_request *request,
                        struct manifest_file *out, char *why, size_t why_bytes)
{
    struct objects objects;
    char ignored[PATHS_MAX + 256];
    size_t wants = 0;
    struct manifest_file_options options = {.want = count_want,
                                            .context = &wants};
    int err = manifest_file_load_with(request->manifest, &options, out, why,
                                      why_bytes);
    if (err || !request->program || out->manifest->decl_count == 0 ||
        objects_load(request->program, &objects, ignored, sizeof ignored) < 0)
        return err;
    for (size_t i = 0; i < request->object_count; i++)
        objects_add(&objects, request->objects[i]);
    why[0] = 0;
    if (request->dir)
        symbols_keep(request->dir, out->manifest, &objects);
    if (wants)
        err = load_with_types(request, &objects, out, why, why_bytes);
    objects_free(&objects);
    /* without types it still stands as it was parsed first */
    return out->manifest ? 0 : err;
}
