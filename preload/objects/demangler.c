/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See demangler.h. Mapped as the decoder is, from beside the preload.
 */
#include "preload/objects/demangler.h"
#include "preload/settings/config.h"
#include "preload/objects/decoder_load.h"
#include "preload/demangle/demangle.h"
#include <string.h>
#include <sys/mman.h>

#define DEMANGLER_NAME "libhandspan-demangle.so"

static demangle_fn *demangle;
static char *stack;

static bool load(void)
{
    static struct plan_image image;
    struct plan_symbol symbol;
    char path[PATH_MAX];
    struct text text = {path, 0, sizeof(path)};
    text_put_bytes(&text, config.self,
                   (size_t)(text_basename(config.self) - config.self));
    text_put(&text, DEMANGLER_NAME);
    if (!text_fits(&text) || !config_is_our_file(path) ||
        decoder_load(path, &image) != 0 ||
        plan_image_find_symbol(&image, DEMANGLE_FUNCTION, &symbol) != 0)
        return false;
    demangle = (demangle_fn *)(image.base + symbol.vaddr);
    return true;
}

bool demangler_open(void)
{
    if (!demangle && !load())
        note_line("binding", "no " DEMANGLER_NAME " beside the preload: C++ "
                             "names are found by their mangled form alone");
    return demangle;
}

bool demangler_is_open(void)
{
    return demangle;
}

bool demangler_begin(void)
{
    if (!demangle || stack)
        return stack;
    void *at = mmap(NULL, DEMANGLE_STACK_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    stack = at == MAP_FAILED ? NULL : at;
    return stack;
}

void demangler_end(void)
{
    if (stack)
        munmap(stack, DEMANGLE_STACK_BYTES);
    stack = NULL;
}

bool demangler_read(const char *mangled, char *out, size_t cap_bytes)
{
    return stack &&
           demangle(mangled, out, cap_bytes, stack + DEMANGLE_STACK_BYTES);
}
