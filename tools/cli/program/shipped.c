/* SPDX-License-Identifier: Apache-2.0 */
/* See shipped.h. */
#include "tools/cli/program/shipped.h"
#include "tools/cli/program/functions.h"
#include "tools/cli/program/types_cache.h"
#include "tools/common/text/hash.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    NAMES_MAX_BYTES = 4096,
    TEXT_MAX_BYTES = 256 * PATHS_MAX,
    FILES_MAX = 256, /* of such texts, in the session directory */
};

static const char suffix[] = ".manifest";

static int is_entry(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > strlen(suffix) && entry->d_name[0] != '.' &&
           strcmp(entry->d_name + len - strlen(suffix), suffix) == 0;
}

/* An executable is none of the libraries, whatever its name. */
static bool is_meant(const struct object *o,
                     const struct manifest_object *scope)
{
    if (o->kind == OBJECT_MAIN)
        return scope->kind == MANIFEST_OBJECT_MAIN ||
               (scope->kind == MANIFEST_OBJECT_BASENAME &&
                strncmp(scope->pattern, "lib", 3) != 0);
    return o->kind == OBJECT_PLAIN && scope->kind != MANIFEST_OBJECT_ANY;
}

static bool is_in_scope(const struct objects *objects,
                        const struct manifest_decl *decl)
{
    for (size_t i = 0; i < objects->count; i++)
        if (is_meant(&objects->at[i], decl->object) &&
            object_matches(&objects->at[i], decl->object))
            return true;
    return false;
}

static bool finds(const struct objects *objects,
                  const struct manifest_decl *decl)
{
    struct functions found = {0};
    bool any = false;
    if (!decl->disabled && decl->roles != 0 && is_in_scope(objects, decl) &&
        functions_find(objects, decl, &found) == 0)
        for (size_t i = 0; i < found.count && !any; i++)
            any = is_meant(found.at[i].object, decl->object);
    functions_free(&found);
    return any;
}

static void add_name(struct buf *names, const char *file)
{
    buf_printf(names, "%s%.*s", names->len_bytes ? ", " : "",
               (int)(strlen(file) - strlen(suffix)), file);
}

static void take(struct shipped *s, const char *file, const char *path)
{
    if (strpbrk(path, "\"\\\n")) /* it could not be named in a manifest */
        return;
    if (s->count++ == 0)
        snprintf(s->first, sizeof s->first, "%s", path);
    add_name(&s->names, file);
    buf_printf(&s->text, "[[include(\"%s\")]];\n", path);
}

static void consider(struct shipped *s, const struct objects *objects,
                     const char *file, const char *path)
{
    struct manifest_file f;
    char why[PATHS_MAX + 128];
    if (manifest_file_load(path, &f, why, sizeof why) != 0)
        return;
    bool any = false;
    for (uint32_t i = 0; i < f.manifest->decl_count && !any; i++)
        any = finds(objects, &f.manifest->decls[i]);
    if (any && strstr(f.sources[0], "\n// By name only"))
        add_name(&s->others, file);
    else if (any)
        take(s, file, path);
    manifest_file_free(&f);
}

void shipped_find(const char *program, struct shipped *s)
{
    struct objects objects;
    struct dirent **entries = NULL;
    char folder[PATHS_MAX], path[PATHS_MAX + NAME_MAX + 1], why[PATHS_MAX];
    s->count = 0;
    buf_init(&s->names, NAMES_MAX_BYTES);
    buf_init(&s->others, NAMES_MAX_BYTES);
    buf_init(&s->text, TEXT_MAX_BYTES);
    if (manifest_file_folder(folder, sizeof folder) != 0 ||
        objects_load(program, &objects, why, sizeof why) != 0)
        return;
    int count = scandir(folder, &entries, is_entry, alphasort);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s%s", folder, entries[i]->d_name);
        if (strlen(path) < PATHS_MAX && paths_is_ours(path))
            consider(s, &objects, entries[i]->d_name, path);
        free(entries[i]);
    }
    free(entries);
    objects_free(&objects);
}

int shipped_path(const struct shipped *s, const char *dir, char *path,
                 size_t cap_bytes)
{
    const char *text = buf_get(&s->text);
    size_t len = strlen(text);
    if (s->count == 1) {
        snprintf(path, cap_bytes, "%s", s->first);
        return 0;
    }
    int n =
        snprintf(path, cap_bytes, "%s/manifests-%u/%016" PRIx64 ".manifest",
                 dir, (unsigned)geteuid(), hash_bytes(HASH_BEGIN, text, len));
    return n < 0 || (size_t)n >= cap_bytes
               ? -ENAMETOOLONG
               : types_cache_write(path, text, len, FILES_MAX);
}

void shipped_free(struct shipped *s)
{
    buf_free(&s->names);
    buf_free(&s->others);
    buf_free(&s->text);
}
