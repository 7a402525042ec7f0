/* SPDX-License-Identifier: Apache-2.0 */
/* See scope.h. */
#include "bind/scope.h"
#include <string.h>

const char *bind_basename(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool starts_with(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

enum bind_kind bind_kind_of(const char *path)
{
    static const char *const libc[] = {"libc.so.6", "libpthread.so.0",
                                       "libdl.so.2", "librt.so.1",
                                       "libutil.so.1"};
    const char *name = bind_basename(path);
    if (starts_with(name, "libZydis.so") || starts_with(name, "libZycore.so"))
        return BIND_OWN;
    if (starts_with(name, "ld-linux") || starts_with(name, "linux-vdso"))
        return BIND_LOADER;
    for (size_t i = 0; i < sizeof(libc) / sizeof(*libc); i++)
        if (strcmp(name, libc[i]) == 0)
            return BIND_LIBC;
    return BIND_PLAIN;
}

/* `prefix` in hex digits of either case. */
static bool has_build_id(const struct plan_image *image, const char *prefix)
{
    for (uint32_t i = 0; prefix[i]; i++) {
        if (i / 2 >= image->build_id_len || i / 2 >= PLAN_BUILD_ID_MAX)
            return false;
        unsigned digit = image->build_id[i / 2] >> (i % 2 ? 0 : 4) & 15;
        if (prefix[i] != "0123456789abcdef"[digit] &&
            prefix[i] != "0123456789ABCDEF"[digit])
            return false;
    }
    return true;
}

bool bind_in_scope(const struct bind_object *object,
                   const struct manifest_object *scope)
{
    const char *soname = object->image->soname;
    if (object->kind == BIND_OWN)
        return false;
    if (scope->build_id && !has_build_id(object->image, scope->build_id))
        return false;
    switch (scope->kind) {
    case MANIFEST_OBJECT_ANY:
        return object->kind == BIND_MAIN || object->kind == BIND_PLAIN;
    case MANIFEST_OBJECT_MAIN:
        return object->kind == BIND_MAIN;
    case MANIFEST_OBJECT_BASENAME:
        return manifest_match_glob(scope->pattern,
                                   bind_basename(object->path)) ||
               (soname && manifest_match_glob(scope->pattern, soname));
    case MANIFEST_OBJECT_PATH:
        return manifest_match_glob(scope->pattern, object->path);
    }
    return false;
}
