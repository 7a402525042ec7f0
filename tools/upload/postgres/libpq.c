/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/upload/postgres/libpq.h"
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static bool find(void *library, const char *name, void *function)
{
    void *at = dlsym(library, name);
    memcpy(function, &at, sizeof at);
    return at != NULL;
}

const struct libpq *libpq_load(void)
{
    static struct libpq all;
    static bool is_loaded;
    void *library = is_loaded ? NULL : dlopen("libpq.so.5", RTLD_NOW);
    if (!is_loaded && !library)
        return NULL;
#define LIBPQ_FIND(name)                                                       \
    if (!is_loaded && !find(library, #name, &all.name))                        \
        return NULL;
    LIBPQ_FUNCTIONS(LIBPQ_FIND)
#undef LIBPQ_FIND
    is_loaded = true;
    return &all;
}

const char *libpq_why(void)
{
    const char *said = dlerror();
    return said ? said : "it lacks a function";
}
