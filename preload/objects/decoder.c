/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zydis is no DT_NEEDED of ours: a preload whose dependency is missing keeps
 * every program from starting. It is mapped from beside the preload, or from
 * where the system keeps libraries; the program never sees it. Where it is
 * missing, handlers are bound by call slots, and the session says so.
 */
#include "preload/objects/decoder.h"
#include "preload/settings/config.h"
#include "preload/objects/decoder_load.h"
#include <string.h>
#include <sys/mman.h>

#define DECODER_NAME "libZydis.so.4.0"

static struct plan_decoder decoder;
static struct plan_image image;
static struct decoder_mapped mapped;
static bool is_open, is_ready;
static void *scratch;

static bool load_from(const char *dir, size_t len)
{
    char path[PATH_MAX];
    struct text text = {path, 0, sizeof(path)};
    text_put_bytes(&text, dir, len);
    text_put(&text, DECODER_NAME);
    return *path == '/' && text_fits(&text) && config_is_our_file(path) &&
           decoder_map(path, &mapped) == 0;
}

static bool load(void)
{
    static const char *const dirs[] = {"/usr/lib/x86_64-linux-gnu/",
                                       "/lib/x86_64-linux-gnu/", "/usr/lib64/",
                                       "/usr/lib/", "/usr/local/lib/"};
    const char *told = config_get("HANDSPAN_TEST_DECODER");
    if (told && strcmp(told, "off") == 0)
        return false;
    if (load_from(config.self,
                  (size_t)(text_basename(config.self) - config.self)))
        return true;
    for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
        if (load_from(dirs[i], strlen(dirs[i])))
            return true;
    }
    return false;
}

static bool find(const char *name, void *function)
{
    struct plan_symbol symbol;
    if (plan_image_find_symbol(&image, name, &symbol) != 0)
        return false;
    uint64_t at = image.base + symbol.vaddr;
    memcpy(function, &at, sizeof(at));
    return true;
}

static void say_none(void)
{
    note_line("binding", "no decoder (" DECODER_NAME
                         "): calls are seen only where they go through "
                         "the PLT of another object");
}

bool decoder_open(void)
{
    is_open = load();
    if (!is_open)
        say_none();
    return is_open;
}

bool decoder_is_open(void)
{
    return is_open;
}

static bool make_ready(void)
{
    return decoder_finish(&mapped, &image) == 0 &&
           find("ZydisDecoderInit", &decoder.decoder_init) &&
           find("ZydisDecoderDecodeFull", &decoder.decode_full) &&
           find("ZydisRegisterGetClass", &decoder.register_class) &&
           find("ZydisRegisterGetLargestEnclosing",
                &decoder.register_largest_enclosing);
}

const struct plan_decoder *decoder_get(void)
{
    if (is_open && !is_ready) {
        is_ready = is_open = make_ready();
        if (!is_open)
            say_none();
    }
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
