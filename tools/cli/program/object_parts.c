/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See object_parts.h. Symbols in the table's order; for each bucket of hashes
 * the numbers of those that have an identifier in it, in the same order: a
 * counting sort of two passes. Who asks compares the names.
 */
#include "tools/cli/program/object_parts.h"
#include "tools/common/text/hash.h"
#include "shim/plan/names/cxx_name.h"
#include <stdlib.h>

enum {
    BUCKET_BITS = 16,
    BUCKETS = 1 << BUCKET_BITS
};

struct object_parts {
    struct plan_symbol *symbols;
    size_t count, cap;
    uint32_t *start; /* of each bucket in `list`, and the end */
    uint32_t *list;
    const void *symtab; /* of the tables with this one */
    bool is_made, failed;
};

static uint32_t bucket_of(const char *part, size_t len)
{
    return (uint32_t)(hash_bytes(HASH_BEGIN, part, len) >> 20) & (BUCKETS - 1);
}

static bool is_mangled(void *context, const char *name)
{
    (void)context;
    return name[0] == '_' && (name[1] == 'Z' || name[1] == 'R');
}

static int take(void *context, const struct plan_symbol *symbol)
{
    struct object_parts *p = context;
    if (p->count == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 1024;
        void *grown = cap < UINT32_MAX
                          ? realloc(p->symbols, cap * sizeof *p->symbols)
                          : NULL;
        if (!grown) {
            p->failed = true;
            return 1;
        }
        p->symbols = grown;
        p->cap = cap;
    }
    p->symbols[p->count++] = *symbol;
    return 0;
}

static bool count_part(void *context, const char *part, size_t len)
{
    struct object_parts *p = context;
    p->start[bucket_of(part, len) + 1]++;
    return false;
}

struct filling {
    struct object_parts *parts;
    uint32_t *next; /* free place of each bucket */
    uint32_t symbol;
};

static bool fill_part(void *context, const char *part, size_t len)
{
    const struct filling *f = context;
    f->parts->list[f->next[bucket_of(part, len)]++] = f->symbol;
    return false;
}

static void index_all(struct object_parts *p)
{
    struct filling f = {.parts = p};
    p->start = calloc(BUCKETS + 1, sizeof *p->start);
    f.next = calloc(BUCKETS, sizeof *f.next);
    for (size_t i = 0; p->start && i < p->count; i++)
        (void)name_any_part(p->symbols[i].name, count_part, p);
    for (size_t i = 0; p->start && f.next && i < BUCKETS; i++) {
        f.next[i] = p->start[i];
        p->start[i + 1] += p->start[i];
    }
    p->list = p->start
                  ? malloc(((size_t)p->start[BUCKETS] + 1) * sizeof *p->list)
                  : NULL;
    p->failed |= !p->list || !f.next;
    for (; !p->failed && f.symbol < p->count; f.symbol++)
        (void)name_any_part(p->symbols[f.symbol].name, fill_part, &f);
    free(f.next);
}

static void empty(struct object_parts *p)
{
    free(p->symbols);
    free(p->start);
    free(p->list);
    *p = (struct object_parts){0};
}

static bool has_parts(struct object_parts *p, const struct plan_image *image)
{
    if (p->is_made && p->symtab != image->symtab)
        empty(p); /* of the time before its debug file was read */
    if (!p->is_made) {
        p->is_made = true;
        p->symtab = image->symtab;
        (void)plan_image_each_wanted(image, is_mangled, take, p);
        if (!p->failed)
            index_all(p);
    }
    return !p->failed;
}

struct object_parts *object_parts_new(void)
{
    return calloc(1, sizeof(struct object_parts));
}

void object_parts_free(struct object_parts *parts)
{
    if (parts)
        empty(parts);
    free(parts);
}

int object_parts_each(struct object_parts *p, const struct plan_image *image,
                      const char *part, size_t len,
                      int (*each)(void *context,
                                  const struct plan_symbol *symbol),
                      void *context)
{
    if (!p || !has_parts(p, image))
        return plan_image_each_wanted(image, is_mangled, each, context);
    uint32_t bucket = part ? bucket_of(part, len) : 0;
    size_t i = part ? p->start[bucket] : 0;
    size_t end = part ? p->start[bucket + 1] : p->count;
    for (uint32_t last = UINT32_MAX; i < end; i++) {
        uint32_t at = part ? p->list[i] : (uint32_t)i;
        int rc = at == last ? 0 : each(context, &p->symbols[at]);
        if (rc != 0)
            return rc;
        last = at; /* two of its identifiers may be in the bucket */
    }
    return 0;
}
