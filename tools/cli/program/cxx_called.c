/* SPDX-License-Identifier: Apache-2.0 */
/* See cxx_called.h. */
#include "tools/cli/program/cxx_called.h"
#include "shim/plan/names/cxx_name.h"
#include <libiberty/demangle.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_word(void *context, const char *part, size_t len)
{
    const char *word = context;
    return strncmp(part, word, len) == 0 && word[len] == '\0';
}

/* Is the part before its parameters, without arguments of a template, it? */
static bool is_called(const char *readable, const char *word)
{
    const char *name = name_skip_return_type(readable);
    const char *end = name_parameters(name);
    size_t len = strlen(word);
    const char *at = name, *last = NULL;
    for (; (at = strstr(at, word)) && at < end; at++)
        if (at == name || at[-1] == ':')
            last = at;
    return last && (last + len == end || last[len] == '<');
}

char *cxx_called(const char *symbol, const char *word)
{
    if (strncmp(symbol, "_Z", 2) != 0 ||
        !name_any_part(symbol, is_word, (void *)(uintptr_t)word))
        return NULL;
    char *text = cplus_demangle_v3(symbol, DMGL_PARAMS | DMGL_TYPES);
    if (text && is_called(text, word))
        return text;
    free(text);
    return NULL;
}
