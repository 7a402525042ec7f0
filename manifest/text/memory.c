/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser's memory: a bump allocator in the caller's arena, and the table
 * of names that the manifest defines. Nothing is freed; running out ends the
 * parse with -ENOMEM and the caller comes back with a larger arena.
 */
#include "manifest/text/parser.h"

#include <errno.h>
#include <string.h>

void parser_stop(struct parser *p, int error)
{
    if (!p->fatal)
        p->fatal = error;
    p->failed = true;
    p->tok.kind = TOKEN_END;
    p->tok.at.length = 0;
}

void *parser_alloc(struct parser *p, size_t size, size_t align)
{
    struct manifest_arena *arena = p->arena;
    uintptr_t here = (uintptr_t)arena->base + arena->used_bytes;
    size_t pad = (size_t)(-here & (align - 1));
    size_t left = arena->cap_bytes - arena->used_bytes;
    if (p->fatal || pad > left || size > left - pad) {
        parser_stop(p, -ENOMEM);
        return NULL;
    }
    void *at = arena->base + arena->used_bytes + pad;
    arena->used_bytes += pad + size;
    memset(at, 0, size);
    return at;
}

void *parser_alloc_array(struct parser *p, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        parser_stop(p, -ENOMEM);
        return NULL;
    }
    return parser_alloc(p, bytes, 8);
}

const char *parser_copy(struct parser *p, const char *text, size_t len)
{
    char *copy = parser_alloc(p, len + 1, 1);
    if (copy)
        memcpy(copy, text, len);
    return copy;
}

static uint32_t hash_name(enum name_kind kind, const char *text, size_t len)
{
    uint32_t hash = 2166136261u ^ (uint32_t)kind; /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    return hash;
}

struct name *parser_find_name(struct parser *p, enum name_kind kind,
                              const char *text, size_t len)
{
    uint32_t hash = hash_name(kind, text, len);
    struct name *name = p->names[hash % NAME_BUCKETS];
    for (; name; name = name->next)
        if (name->hash == hash && name->kind == kind &&
            strlen(name->text) == len && memcmp(name->text, text, len) == 0)
            return name;
    return NULL;
}

struct name *parser_add_name(struct parser *p, enum name_kind kind,
                             const char *text)
{
    struct name *name = PARSER_NEW(p, struct name);
    if (!name)
        return NULL;
    name->kind = kind;
    name->text = text;
    name->hash = hash_name(kind, text, strlen(text));
    name->next = p->names[name->hash % NAME_BUCKETS];
    p->names[name->hash % NAME_BUCKETS] = name;
    return name;
}
