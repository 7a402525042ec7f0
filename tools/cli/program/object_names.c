/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See object_names.h. Sorted by hash, then in the table's order. Hashes may
 * meet: who asks compares the names.
 */
#include "tools/cli/program/object_names.h"
#include "bind/names.h"
#include "tools/common/text/hash.h"
#include <stdlib.h>
#include <string.h>

struct object_names {
    struct name {
        uint64_t hash;
        size_t order;
        struct plan_symbol symbol;
        const char *file;
    } * at;
    size_t count, cap;
    bool failed;
};

static int add_name(struct object_names *n, const char *name, size_t len,
                    const struct plan_symbol *symbol, const char *file)
{
    if (n->count == n->cap) {
        size_t cap = n->cap ? n->cap * 2 : 4096;
        void *grown = realloc(n->at, cap * sizeof *n->at);
        if (!grown) {
            n->failed = true;
            return 1;
        }
        n->at = grown;
        n->cap = cap;
    }
    n->at[n->count] = (struct name){hash_bytes(HASH_BEGIN, name, len), n->count,
                                    *symbol, file};
    n->count++;
    return 0;
}

/* Under its whole name, and what is before each dot: it may be a clone; and
 * what it is called in the source, where that is all of its name. */
static int take_name(void *context, const struct plan_symbol *symbol,
                     const char *file)
{
    const char *dot = symbol->name;
    while ((dot = strchr(dot + (*dot == '.'), '.')))
        if (add_name(context, symbol->name, (size_t)(dot - symbol->name),
                     symbol, file))
            return 1;
    size_t len;
    const char *part = bind_global_part(symbol->name, &len);
    if (part && add_name(context, part, len, symbol, file))
        return 1;
    return add_name(context, symbol->name, strlen(symbol->name), symbol, file);
}

static int compare_names(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static bool has_names(struct object_names *n, const struct plan_image *image)
{
    if (!n->at && !n->failed) {
        (void)plan_image_each_in_file(image, take_name, n);
        if (n->at)
            qsort(n->at, n->count, sizeof *n->at, compare_names);
        n->failed |= !n->at; /* none, or no memory: the table is walked */
    }
    return !n->failed;
}

struct object_names *object_names_new(void)
{
    return calloc(1, sizeof(struct object_names));
}

void object_names_free(struct object_names *names)
{
    if (names)
        free(names->at);
    free(names);
}

int object_names_each(struct object_names *n, const struct plan_image *image,
                      const char *name,
                      int (*each)(void *context,
                                  const struct plan_symbol *symbol,
                                  const char *file),
                      void *context)
{
    if (!n || !has_names(n, image))
        return plan_image_each_in_file(image, each, context);
    uint64_t hash = hash_bytes(HASH_BEGIN, name, strlen(name));
    size_t low = 0, high = n->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (n->at[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < n->count && n->at[low].hash == hash; low++) {
        int rc = each(context, &n->at[low].symbol, n->at[low].file);
        if (rc)
            return rc;
    }
    return 0;
}
