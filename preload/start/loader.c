/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader's notification: called with the loader's lock held, in the thread
 * that calls dlopen or dlclose. At RT_CONSISTENT new objects are mapped but
 * not relocated and their constructors have not run: entries can be patched,
 * slots cannot (relocation would overwrite them).
 */
#include "preload/start/loader.h"
#include "preload/start/bind_rounds.h"
#include "preload/watch/error_watch.h"
#include "preload/settings/config.h"
#include "preload/call/record/sandbox.h"
#include "preload/call/record/span.h"
#include <errno.h>
#include <link.h>

static const struct r_debug *debug;

/* dlmopen: the loader's list that we read has none of what is loaded there
 * (glibc 2.35 tells where its list is). Said once. */
static void note_namespace(void)
{
    static bool is_told;
    const struct r_debug_extended *all = (const void *)debug;
    if (is_told || debug->r_version < 2 || !all->r_next ||
        all->r_next->base.r_state != RT_CONSISTENT)
        return;
    const struct link_map *map = all->r_next->base.r_map;
    if (!map)
        return;
    is_told = true;
    note_lines("objects", map->l_name,
               " and what else is loaded into a namespace of its own "
               "(dlmopen) is not traced",
               NULL);
}

static long loader_notified(long a, long b)
{
    (void)a;
    (void)b;
    if (debug->r_state != RT_CONSISTENT || !runtime.map.session)
        return 0;
    int saved = errno;
    span_busy++;
    /* A forked child that had no traced call yet goes on under its own name.
     * Without one nothing is bound, but what came must be known all the same:
     * at the next notification its text is in use. */
    bool may_bind =
        !sandboxed && (*runtime.alive != 0 || thread_attach() != NULL);
    bind_loaded(may_bind);
    error_watch_loaded(may_bind);
    note_namespace();
    note_publish();
    span_busy--;
    errno = saved;
    return 0;
}

static uint64_t find_in_loader(const char *name)
{
    struct plan_symbol symbol;
    for (uint32_t i = 0; i < modules.count; i++) {
        struct module *module = &modules.at[i];
        if (module->kind == MODULE_LOADER && module->is_usable &&
            plan_image_find_symbol(&module->image, name, &symbol) == 0)
            return module->base + symbol.vaddr;
    }
    return 0;
}

void loader_watch(void)
{
    debug = (const struct r_debug *)find_in_loader("_r_debug");
    int err =
        debug ? shim_loader_notify(debug->r_brk, loader_notified) : -ENOENT;
    if (err)
        note_line("binding", "the loader's notification could not be had: "
                             "objects loaded later are not traced");
}
