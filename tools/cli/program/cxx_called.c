/* SPDX-License-Identifier: Apache-2.0 */
/* See cxx_called.h. */
#include "tools/cli/program/cxx_called.h"
#include "shim/plan/names/cxx_name.h"
#include <libiberty/demangle.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct part {
    const char *text;
    size_t len;
};

static bool is_part(void *context, const char *text, size_t len)
{
    const struct part *part = context;
    return len == part->len && memcmp(text, part->text, len) == 0;
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
    struct part part;
    part.text = name_part(word, &part.len);
    if (strncmp(symbol, "_Z", 2) != 0 ||
        (part.text && !name_any_part(symbol, is_part, &part)))
        return NULL;
    char *text = cplus_demangle_v3(symbol, DMGL_PARAMS | DMGL_TYPES);
    if (text && is_called(text, word))
        return text;
    free(text);
    return NULL;
}
