/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zydis is no DT_NEEDED of ours: a preload whose dependency is missing keeps
 * every program from starting. It is opened with RTLD_LOCAL, so nothing of it
 * is visible to the program; where it is missing, handlers are bound by call
 * slots, and the session says so.
 */
#include "preload/decoder.h"
#include "preload/config.h"
#include <dlfcn.h>
#include <string.h>
#include <sys/mman.h>

#define DECODER_NAME "libZydis.so.4.0"

static struct plan_decoder decoder;
static bool is_open;
static void *scratch;

static void *open_beside(void)
{
    char path[PATH_MAX];
    struct text text = {path, 0, sizeof(path)};
    const char *name = text_basename(config.self);
    text_put_bytes(&text, config.self, (size_t)(name - config.self));
    text_put(&text, DECODER_NAME);
    return *config.self == '/' && text_fits(&text)
               ? dlopen(path, RTLD_NOW | RTLD_LOCAL)
               : NULL;
}

static bool find(void *handle, const char *name, void *function)
{
    void *found = dlsym(handle, name);
    memcpy(function, &found, sizeof(found));
    return found != NULL;
}

bool decoder_open(void)
{
    const char *told = config_get("HANDSPAN_TEST_DECODER");
    bool is_off = told && strcmp(told, "off") == 0;
    void *handle = is_off ? NULL : open_beside();
    if (!handle && !is_off)
        handle = dlopen(DECODER_NAME, RTLD_NOW | RTLD_LOCAL);
    is_open =
        handle && find(handle, "ZydisDecoderInit", &decoder.decoder_init) &&
        find(handle, "ZydisDecoderDecodeFull", &decoder.decode_full) &&
        find(handle, "ZydisRegisterGetClass", &decoder.register_class) &&
        find(handle, "ZydisRegisterGetLargestEnclosing",
             &decoder.register_largest_enclosing);
    /* the program's first dlerror() must not tell of our failures */
    (void)dlerror();
    if (!is_open)
        note_line("binding", "no decoder (" DECODER_NAME
                             "): calls are seen only where they go through "
                             "the PLT of another object");
    return is_open;
}

const struct plan_decoder *decoder_get(void)
{
    return is_open ? &decoder : NULL;
}

void *decoder_scratch(void)
{
    if (!scratch) {
        void *at = mmap(NULL, plan_scratch_bytes(), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        scratch = at == MAP_FAILED ? NULL : at;
    }
    return scratch;
}
