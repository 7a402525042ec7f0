/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/upload/http/libcurl.h"
#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

static bool find(void *library, const char *name, void *function)
{
    void *at = dlsym(library, name);
    memcpy(function, &at, sizeof at);
    return at != NULL;
}

const struct libcurl *libcurl_load(void)
{
    static struct libcurl all;
    static bool is_loaded;
    void *library = is_loaded ? NULL : dlopen("libcurl.so.4", RTLD_NOW);
    if (!is_loaded && !library)
        return NULL;
#define LIBCURL_FIND(name)                                                     \
    if (!is_loaded && !find(library, #name, &all.name))                        \
        return NULL;
    LIBCURL_FUNCTIONS(LIBCURL_FIND)
#undef LIBCURL_FIND
    if (!is_loaded && all.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return NULL;
    is_loaded = true;
    return &all;
}

const char *libcurl_why(void)
{
    const char *said = dlerror();
    return said ? said : "it does not start";
}
