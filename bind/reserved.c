/* SPDX-License-Identifier: Apache-2.0 */
/* See reserved.h. exec_watch() of the preload binds these. */
#include "bind/reserved.h"
#include <stddef.h>

const char bind_reserved_text[] =
    "handspan itself watches it (what its calls make is in the tree), so it "
    "is no handler";

bool bind_is_reserved(const struct bind_object *object, uint64_t vaddr)
{
    static const char *const names[] = {
        "execve",       "execveat", "fexecve", "posix_spawn",
        "posix_spawnp", "fork",     "clone",   "pthread_create",
    };
    struct plan_symbol symbol;
    if (object->kind != BIND_LIBC)
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (plan_image_find_dynamic(object->image, names[i], &symbol) == 0 &&
            symbol.vaddr == vaddr)
            return true;
    return false;
}
