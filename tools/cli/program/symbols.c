/* SPDX-License-Identifier: Apache-2.0 */
/* See symbols.h. */
#include "tools/cli/program/symbols.h"
#include "bind/debug_file.h"
#include "tools/cli/program/types_cache.h"
#include "tools/dwarf/debugdata.h"
#include <stdlib.h>
#include <unistd.h>

enum {
    KEPT_FILES_MAX = 1024, /* then the oldest go */
};

bool symbols_unpack(struct object *o)
{
    uint64_t len;
    const void *packed = plan_file_debugdata(o->bytes, o->len_bytes, &len);
    if (!packed ||
        debugdata_unpack(packed, len, &o->unpacked, &o->unpacked_bytes) != 0)
        return false;
    if (plan_image_add_debugdata(&o->image, o->unpacked, o->unpacked_bytes) ==
        0)
        return true;
    free(o->unpacked);
    o->unpacked = NULL;
    return false;
}

static bool is_named(const struct manifest *manifest, const struct object *o)
{
    const struct manifest_object *last = NULL;
    for (uint32_t i = 0; i < manifest->decl_count; i++) {
        const struct manifest_object *scope = manifest->decls[i].object;
        if (scope != last && object_matches(o, scope))
            return true;
        last = scope;
    }
    return false;
}

static void keep(const char *dir, const struct objects *objects,
                 const struct object *o)
{
    char path[PATHS_MAX];
    uint64_t len;
    if (!plan_file_debugdata(o->bytes, o->len_bytes, &len) ||
        !bind_unpacked_path(dir, (uint32_t)geteuid(), &o->image, path,
                            sizeof path) ||
        access(path, R_OK) == 0)
        return;
    object_add_symtab(objects, o);
    if (o->unpacked)
        (void)!types_cache_write(path, o->unpacked, o->unpacked_bytes,
                                 KEPT_FILES_MAX);
}

void symbols_keep(const char *dir, const struct manifest *manifest,
                  const struct objects *objects)
{
    for (size_t i = 0; i < objects->count; i++) {
        const struct object *o = &objects->at[i];
        if (!o->image.symtab && o->kind != OBJECT_LOADER &&
            is_named(manifest, o))
            keep(dir, objects, o);
    }
}
