/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One round over the declarations for a set of objects: all functions are
 * found, planned and proved before the first one is changed. A function is
 * bound once, whatever names it has; what cannot be bound still gets a site in
 * the session, with the reason, because "0 calls" and "not seen" must never
 * look alike.
 */
#include "preload/start/bind_rounds.h"
#include "bind/names.h"
#include "bind/reason.h"
#include "preload/watch/ask.h"
#include "preload/bind/bind_lock.h"
#include "preload/bind/bind_patched.h"
#include "preload/bind/bind_site.h"
#include "preload/bind/bind_text.h"
#include "preload/bind/plans.h"
#include "preload/watch/callback.h"
#include "preload/call/carry/carry.h"
#include "preload/objects/decoder.h"
#include "preload/objects/demangler.h"
#include "preload/call/stack/fiber.h"
#include "preload/objects/find.h"
#include "preload/objects/find_cxx.h"
#include "preload/objects/find_names.h"
#include "shim/plan/plan.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static bool is_ours(const struct manifest_decl *decl)
{
    return (decl->roles & MANIFEST_BOUND) != 0 &&
           manifest_decl_applies(decl, config.program);
}

struct pass {
    const struct manifest_decl *decl;
    struct bind_world world;
    uint32_t generation; /* 0: every module */
    struct bind_facts facts;
    const struct module *one; /* the last object that its scope covers */
    uint32_t left;            /* functions that may still be bound */
};

/* What became of each declaration so far: an array as the manifest's, or NULL.
 */
enum fate {
    FATE_NONE,    /* nothing of it, and nothing said but that */
    FATE_MISSING, /* an object of its scope came, without it, and that is said
                   */
    FATE_FOUND,
};
static uint8_t *fates;

static uint8_t *fate_of(const struct manifest_decl *decl)
{
    lane_assert(!fates || (decl >= runtime.manifest->decls &&
                           decl < runtime.manifest->decls +
                                      runtime.manifest->decl_count));
    static uint8_t nobody;
    return fates ? &fates[decl - runtime.manifest->decls] : &nobody;
}

static int count_function(void *context, uint32_t index, const char *name,
                          uint64_t vaddr)
{
    (void)context;
    (void)index;
    (void)name;
    (void)vaddr;
    return 0;
}

static int bind_function(void *context, uint32_t index, const char *name,
                         uint64_t vaddr)
{
    lane_assert(index < modules.count);
    struct pass *pass = context;
    if (pass->left == 0)
        return -E2BIG;
    pass->left--;
    int err = bind_site_plan(pass->decl, &modules.at[index], name, vaddr,
                             pass->generation == 0);
    return err == -ENOSPC ? err : 0;
}

/* An object that is there, but for its build id. */
static bool is_other_build(const struct manifest_object *scope)
{
    struct manifest_object any = *scope;
    any.build_id = NULL;
    for (uint32_t i = 0; scope->build_id && i < modules.count; i++) {
        const struct module *module = &modules.at[i];
        struct bind_object object = module_object(module);
        if (module->is_loaded && module->is_usable &&
            bind_in_scope(&object, &any))
            return true;
    }
    return false;
}

static void say_unbound(struct pass *pass)
{
    char reason[512];
    pass->facts.is_other_build = is_other_build(pass->decl->object);
    pass->facts.has_demangler = demangler_is_open();
    (void)bind_reason_none(pass->decl, &pass->facts, reason, sizeof(reason));
    bind_site_missing(pass->decl, pass->facts.objects == 1 ? pass->one : NULL,
                      bind_written_name(pass->decl), reason);
}

/* The objects that its scope covers. */
static void count_objects(struct pass *pass)
{
    lane_assert(pass->facts.objects == 0);
    struct bind_object object;
    for (uint32_t i = 0; i < modules.count; i++) {
        if (!bind_covers(&pass->world, pass->decl, i, &object))
            continue;
        pass->facts.objects++;
        pass->one = &modules.at[i];
        pass->facts.one = bind_basename(object.path);
        pass->facts.is_stripped = object.image->symtab == NULL;
    }
}

/* Of more functions than may be, those that are found first: then the site that
 * says so comes before theirs, which may take all the room there is. */
static void bind_declaration(struct pass *pass)
{
    lane_assert((pass->decl->roles & MANIFEST_BOUND) != 0);
    find_world(&pass->world, pass->generation);
    pass->facts.match_max = config.match_max;
    count_objects(pass);
    if (pass->facts.objects == 0 || pass->decl->disabled)
        return;
    int n = bind_find(&pass->world, pass->decl, count_function, pass);
    pass->facts.matches = n > 0 ? (uint32_t)n : 0;
    if (n <= 0) { /* files were read meanwhile */
        pass->facts.objects = 0;
        count_objects(pass);
        return;
    }
    if (pass->facts.matches > config.match_max)
        say_unbound(pass);
    pass->left = config.match_max;
    (void)!bind_find(&pass->world, pass->decl, bind_function, pass);
}

/* A reason is that of the end: of a declaration that no object was there for
 * at the start it is said what the first one that came is like; of others
 * nobody expects that each later object has them. */
static bool is_worth_saying(const struct pass *pass)
{
    uint8_t *fate = fate_of(pass->decl);
    bool is_start = pass->generation == 0;
    bool is_found = pass->facts.matches > 0;
    bool is_news =
        !is_found &&
        (is_start || (pass->facts.objects > 0 && fates && *fate == FATE_NONE));
    if (is_found)
        *fate = FATE_FOUND;
    else if (pass->facts.objects > 0 && *fate == FATE_NONE)
        *fate = FATE_MISSING;
    return is_news;
}

static bool has_any_declaration(void)
{
    const struct manifest *manifest = runtime.manifest;
    for (uint32_t i = 0; manifest && i < manifest->decl_count; i++) {
        if (is_ours(&manifest->decls[i]))
            return true;
    }
    return false;
}

/* So that one pass over a file finds them all. */
static void gather_names(const struct manifest *manifest)
{
    names_begin(manifest->decl_count);
    cxx_begin(manifest->decl_count);
    for (uint32_t i = 0; i < manifest->decl_count; i++) {
        const struct manifest_decl *decl = &manifest->decls[i];
        const char *name = bind_exact_name(decl);
        const char *readable = bind_readable_name(decl);
        if (name && is_ours(decl))
            names_add(name);
        if (readable && is_ours(decl))
            cxx_add(readable);
    }
}

static void bind_generation(uint32_t generation)
{
    const struct manifest *manifest = runtime.manifest;
    if (!has_any_declaration())
        return;
    if (bind_round_begin() != 0) {
        note_line("binding", "no memory: nothing is traced");
        return;
    }
    gather_names(manifest);
    for (uint32_t i = 0; i < manifest->decl_count; i++) {
        struct pass pass = {.decl = &manifest->decls[i],
                            .generation = generation};
        if (!is_ours(pass.decl))
            continue;
        bind_declaration(&pass);
        if (is_worth_saying(&pass))
            say_unbound(&pass);
    }
    bind_round_apply();
    names_end();
    cxx_end();
    modules_drop_files();
}

static bool has_readable_name(void)
{
    const struct manifest *manifest = runtime.manifest;
    for (uint32_t i = 0; manifest && i < manifest->decl_count; i++) {
        const struct manifest_decl *decl = &manifest->decls[i];
        if (is_ours(decl) &&
            (bind_readable_name(decl) || bind_readable_glob(decl)))
            return true;
    }
    return false;
}

void bind_prepare(void)
{
    decoder_open();
    if (has_readable_name())
        demangler_open();
    modules_refresh(NULL);
    modules_record();
    plans_begin();
    callback_start(runtime.manifest);
}

void bind_start(void)
{
    if (has_any_declaration()) {
        void *at =
            mmap(NULL, runtime.manifest->decl_count, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        fates = at == MAP_FAILED ? NULL : at;
    }
    bind_generation(0);
}

static void forget(struct module *module)
{
    bind_site_gone(module);
    callback_forget(module);
}

static void bind_fresh(bool may_bind)
{
    if (!modules_refresh(forget) || !may_bind)
        return;
    bind_patched_compare();
    modules_record();
    bool is_fresh = false;
    for (uint32_t i = 0; i < modules.count; i++)
        is_fresh |= modules.at[i].is_loaded &&
                    modules.at[i].generation == modules.generation;
    if (!is_fresh || !has_any_declaration())
        return;
    int err = bind_text_open(true);
    if (err)
        note_line("binding", "text cannot be written any more: objects loaded "
                             "later are not traced");
    plans_begin();
    bind_generation(modules.generation);
    fiber_watch(true);
    ask_watch(true);
    plans_end();
    if (!err)
        shim_text_close();
}

void bind_loaded(bool may_bind)
{
    struct bind_hold hold;
    if (!bind_lock(&hold)) {
        note_line("binding", "another thread did not finish binding: objects "
                             "loaded from now on are not traced");
        return;
    }
    bind_fresh(may_bind);
    bind_unlock(&hold);
}
