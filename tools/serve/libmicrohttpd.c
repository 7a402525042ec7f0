/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/serve/libmicrohttpd.h"
#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

static bool find(void *library, const char *name, void *function)
{
    void *at = dlsym(library, name);
    memcpy(function, &at, sizeof at);
    return at != NULL;
}

const struct libmicrohttpd *libmicrohttpd_load(void)
{
    static struct libmicrohttpd all;
    void *library = dlopen("libmicrohttpd.so.12", RTLD_NOW);
    if (!library)
        return NULL;
#define LIBMICROHTTPD_FIND(name)                                               \
    if (!find(library, #name, &all.name))                                      \
        return NULL;
    LIBMICROHTTPD_FUNCTIONS(LIBMICROHTTPD_FIND)
#undef LIBMICROHTTPD_FIND
    return &all;
}
