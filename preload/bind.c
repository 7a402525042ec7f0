/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One round over the declarations for a set of objects: all functions are
 * found, planned and proved before the first one is changed. A function is
 * bound once, whatever names it has; what cannot be bound still gets a site in
 * the session, with the reason, because "0 calls" and "not seen" must never
 * look alike.
 */
#include "preload/bind.h"
#include "preload/ask.h"
#include "preload/bind_lock.h"
#include "preload/bind_patched.h"
#include "preload/bind_site.h"
#include "preload/bind_text.h"
#include "preload/callback.h"
#include "preload/carry.h"
#include "preload/decoder.h"
#include "preload/demangler.h"
#include "preload/fiber.h"
#include "preload/find.h"
#include "preload/find_cxx.h"
#include "preload/find_names.h"
#include "shim/plan/plan.h"
#include <errno.h>
#include <string.h>

enum {
    FILES_MAX = 64
}; /* read for the sake of one plain name */

static bool is_ours(const struct manifest_decl *decl)
{
    return (decl->roles & MANIFEST_BOUND) != 0 &&
           manifest_decl_applies(decl, config.program);
}

struct pass {
    const struct manifest_decl *decl;
    uint32_t generation; /* 0: every module */
    uint32_t objects;    /* that the declaration's scope covers */
    uint32_t matches;
};

static bool covers(const struct pass *pass, const struct module *module)
{
    return (pass->generation == 0 || module->generation == pass->generation) &&
           module_matches(module, pass->decl->object);
}

static int count_function(void *context, struct module *module,
                          const char *name, uint64_t vaddr)
{
    (void)context;
    (void)module;
    (void)name;
    (void)vaddr;
    return 0;
}

static int bind_function(void *context, struct module *module, const char *name,
                         uint64_t vaddr)
{
    struct pass *pass = context;
    int err =
        bind_site_plan(pass->decl, module, name, vaddr, pass->generation == 0);
    return err == -ENOSPC ? err : 0;
}

/* A glob looks at the file too, because who writes one means static functions
 * as well; but not at the files of every library there is. */
static bool wants_file(const struct pass *pass, const struct module *module)
{
    return pass->decl->match &&
           (module->kind == MODULE_MAIN ||
            pass->decl->object->kind != MANIFEST_OBJECT_ANY);
}

static void each_module(struct pass *pass, bool with_file, find_fn *each)
{
    uint32_t files = 0;
    for (uint32_t i = 0; i < modules.count; i++) {
        struct module *module = &modules.at[i];
        if (!covers(pass, module))
            continue;
        bool file = with_file || wants_file(pass, module);
        files += file;
        if (file && files > FILES_MAX)
            return;
        int n = find_functions(module, pass->decl, file, each, pass);
        if (n < 0)
            return;
        if (each == count_function)
            pass->matches += (uint32_t)n;
        /* a static function is looked for in one place after the other */
        if (with_file && !pass->decl->match && n > 0 &&
            pass->decl->object->kind == MANIFEST_OBJECT_ANY)
            return;
    }
}

static bool is_other_build(const struct manifest_object *object)
{
    struct manifest_object any = *object;
    any.build_id = NULL;
    for (uint32_t i = 0; object->build_id && i < modules.count; i++) {
        if (module_matches(&modules.at[i], &any))
            return true;
    }
    return false;
}

static void say_unbound(const struct pass *pass)
{
    char bytes[512];
    struct text reason = {bytes, 0, sizeof(bytes)};
    const struct manifest_decl *decl = pass->decl;
    const char *name = decl->match    ? decl->match
                       : decl->symbol ? decl->symbol
                       : decl->ident  ? decl->ident
                                      : decl->name;
    bytes[0] = '\0';
    if (decl->disabled) {
        text_put(&reason, "the manifest has an error here");
    } else if (pass->matches > config.match_max) {
        text_put_number(&reason, pass->matches);
        text_put(&reason, " functions match, more than ");
        text_put_number(&reason, config.match_max);
        text_put(&reason, config.match_max == PLAN_HANDLERS_MAX
                              ? " that there is room for: narrow the glob"
                              : ": narrow the glob, or raise "
                                "HANDSPAN_MATCH_MAX");
    } else if (pass->objects == 0 && is_other_build(decl->object)) {
        text_put(&reason, "the object is there, but has another build id");
    } else if (pass->objects == 0) {
        text_put(&reason, "no object '");
        text_put(&reason, decl->object->pattern ? decl->object->pattern : "");
        text_put(&reason, "' was loaded at the start");
    } else if (decl->has_at) {
        text_put(&reason, "no function starts at that address");
    } else {
        text_put(&reason, "no function of that name in ");
        if (decl->file)
            text_put(&reason, "a .symtab of that file in ");
        text_put_number(&reason, pass->objects);
        text_put(&reason, pass->objects == 1 ? " object" : " objects");
        if (find_readable_name(decl) && !demangler_is_open())
            text_put(&reason, "; if it is C++: libhandspan-demangle.so is "
                              "missing, write the mangled name");
    }
    bind_site_unbound(decl, name ? name : "", 0, bytes);
}

static bool is_exact(const struct manifest_decl *decl)
{
    return (!decl->match || decl->file) && !decl->has_at;
}

/* Returns how many functions the declaration now stands for. */
static void bind_declaration(struct pass *pass)
{
    bool with_file = false;
    for (uint32_t i = 0; i < modules.count; i++)
        pass->objects += covers(pass, &modules.at[i]);
    if (pass->objects == 0 || pass->decl->disabled)
        return;
    if (!pass->decl->file)
        each_module(pass, false, count_function);
    if (pass->matches == 0 && is_exact(pass->decl)) {
        with_file = true;
        each_module(pass, true, count_function);
    }
    if (pass->matches == 0 || pass->matches > config.match_max)
        return;
    each_module(pass, with_file, bind_function);
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
        const char *name = find_exact_name(decl);
        const char *readable = find_readable_name(decl);
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
        /* of a later object nobody expects every declaration */
        if (pass.matches > config.match_max ||
            (generation == 0 && pass.matches == 0))
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
        if (is_ours(&manifest->decls[i]) &&
            find_readable_name(&manifest->decls[i]))
            return true;
    }
    return false;
}

void bind_start(void)
{
    decoder_open();
    if (has_readable_name())
        demangler_open();
    modules_refresh(NULL);
    modules_record();
    callback_start(runtime.manifest);
    bind_generation(0);
}

static void bind_fresh(bool may_bind)
{
    if (!modules_refresh(bind_site_gone) || !may_bind)
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
    bind_generation(modules.generation);
    fiber_watch(true);
    ask_watch(true);
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

void bind_end(void)
{
    struct bind_hold hold;
    if (!bind_lock_now(&hold))
        return;
    bind_patched_compare();
    bind_unlock(&hold);
}
