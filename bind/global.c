/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of C++ in no namespace, which people paste as if they were C's:
 * whether a prototype can be the one that the mangled name tells (Itanium C++
 * ABI, 5.1.5). What is not read there contradicts nothing.
 */
#include "bind/names.h"
#include <string.h>

const char *bind_global_part(const char *symbol, size_t *len)
{
    if (symbol[0] != '_' || symbol[1] != 'Z')
        return NULL;
    const char *at = symbol + (symbol[2] == 'L' ? 3 : 2);
    size_t n = 0;
    for (; *at >= '0' && *at <= '9' && n < 10000; at++)
        n = n * 10 + (size_t)(*at - '0');
    if (n == 0 || strnlen(at, n + 1) <= n || at[n] == 'I')
        return NULL;
    *len = n;
    return at;
}

struct passed {
    enum manifest_type_kind kind; /* VOID: not read */
    uint64_t size_bytes;
    bool is_signed;
};

static const struct builtin {
    char letter;
    struct passed type;
} builtins[] = {
    {'b', {MANIFEST_BOOL, 1, false}},  {'c', {MANIFEST_INT, 1, true}},
    {'a', {MANIFEST_INT, 1, true}},    {'h', {MANIFEST_INT, 1, false}},
    {'s', {MANIFEST_INT, 2, true}},    {'t', {MANIFEST_INT, 2, false}},
    {'i', {MANIFEST_INT, 4, true}},    {'j', {MANIFEST_INT, 4, false}},
    {'l', {MANIFEST_INT, 8, true}},    {'m', {MANIFEST_INT, 8, false}},
    {'x', {MANIFEST_INT, 8, true}},    {'y', {MANIFEST_INT, 8, false}},
    {'f', {MANIFEST_FLOAT, 4, true}},  {'d', {MANIFEST_FLOAT, 8, true}},
    {'e', {MANIFEST_FLOAT, 16, true}},
};

static const struct passed *find_builtin(char letter)
{
    for (size_t i = 0; i < sizeof(builtins) / sizeof(*builtins); i++)
        if (builtins[i].letter == letter)
            return &builtins[i].type;
    return NULL;
}

/* Behind what a pointer leads to; NULL: not read. */
static const char *skip_pointee(const char *at)
{
    size_t len = 0;
    while (*at && strchr("PROKV", *at))
        at++;
    if (*at == 'v' || find_builtin(*at))
        return at + 1;
    for (; *at >= '0' && *at <= '9' && len < 10000; at++)
        len = len * 10 + (size_t)(*at - '0');
    return len && strnlen(at, len) == len ? at + len : NULL;
}

static const char *read_one(const char *at, struct passed *out)
{
    const struct passed *builtin = find_builtin(*at);
    *out = (struct passed){MANIFEST_VOID, 0, false};
    if (builtin) {
        *out = *builtin;
        return at + 1;
    }
    if (!strchr("PRO", *at))
        return NULL;
    out->kind = MANIFEST_POINTER;
    return skip_pointee(at + 1);
}

static bool is_passed_so(const struct manifest_type *type,
                         const struct passed *passed)
{
    if (passed->kind == MANIFEST_VOID)
        return true;
    return type->kind == passed->kind &&
           (type->kind == MANIFEST_POINTER ||
            (type->size_bytes == passed->size_bytes &&
             (type->kind != MANIFEST_INT ||
              type->is_signed == passed->is_signed)));
}

bool bind_global_fits(const char *symbol, const struct manifest_decl *decl)
{
    size_t len;
    const char *at = bind_global_part(symbol, &len);
    if (!at || !decl->has_prototype)
        return true;
    at += len;
    if (at[0] == 'v' && (at[1] == '\0' || at[1] == '.'))
        return decl->param_count == 0;
    for (uint32_t i = 0; i < decl->param_count; i++) {
        struct passed passed;
        if (*at == '\0' || *at == '.')
            return false;
        at = *at == 'z' ? NULL : read_one(at, &passed);
        if (!at)
            return true;
        if (!is_passed_so(decl->params[i].type, &passed))
            return false;
    }
    return *at == '\0' || *at == '.' || *at == 'z';
}

bool bind_is_global(const char *symbol, const char *name)
{
    size_t len;
    const char *part = bind_global_part(symbol, &len);
    if (!part || strncmp(part, name, len) != 0 || name[len] != '\0' ||
        part[len] == '.')
        return false;
    const char *dot = strchr(part + len, '.');
    return !dot || bind_is_whole(dot);
}
