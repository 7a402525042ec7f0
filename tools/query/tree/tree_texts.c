/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of the items of a tree, which are mostly few different ones; see
 * tree_internal.h. */
#include "tools/common/text/buf.h"
#include "tools/query/tree/tree_internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t hash_of(int64_t number, const char *text)
{
    uint64_t x = 0xcbf29ce484222325ULL;
    if (number)
        return (uint64_t)number * 0x9e3779b97f4a7c15ULL >> 20;
    for (; *text; text++)
        x = (x ^ (unsigned char)*text) * 0x100000001b3ULL;
    return x ^ x >> 32;
}

static int grow(struct tree_texts *t)
{
    size_t slots = t->slot_count ? t->slot_count * 2 : 64;
    uint32_t *more = calloc(slots, sizeof *more);
    struct tree_text *list = realloc(t->list, slots / 2 * sizeof *list);
    if (list)
        t->list = list;
    if (!more || !list) {
        free(more);
        return -ENOMEM;
    }
    for (size_t i = 0; i < t->count; i++) {
        size_t at = t->list[i].hash & (slots - 1);
        while (more[at])
            at = (at + 1) & (slots - 1);
        more[at] = (uint32_t)i + 1;
    }
    free(t->slots);
    t->slots = more;
    t->slot_count = slots;
    t->cap = slots / 2;
    return 0;
}

/* Index of this text, which is added if it is new; -ENOMEM. */
static int64_t find(struct tree_texts *t, struct query_db *db, int64_t number,
                    const char *text)
{
    uint64_t hash = hash_of(number, text);
    if (t->count == t->cap && grow(t) != 0)
        return -ENOMEM;
    size_t at = hash & (t->slot_count - 1);
    for (; t->slots[at]; at = (at + 1) & (t->slot_count - 1)) {
        const struct tree_text *o = &t->list[t->slots[at] - 1];
        if (o->hash == hash && o->number == number &&
            (number || strcmp(o->text, text) == 0))
            return t->slots[at] - 1;
    }
    char *copy = number ? query_long_text(db, number) : strdup(text);
    if (!copy && !number)
        return -ENOMEM;
    t->list[t->count] =
        (struct tree_text){.number = number, .hash = hash, .text = copy};
    t->slots[at] = (uint32_t)++t->count;
    return (int64_t)t->count - 1;
}

int query_tree_texts_add(struct tree_texts *t, struct query_db *db,
                         uint32_t item, int64_t number, const char *text)
{
    if (t->of_count == t->of_cap) {
        size_t cap = t->of_cap ? t->of_cap * 2 : 64;
        void *grown = realloc(t->of, cap * sizeof *t->of);
        if (!grown)
            return -ENOMEM;
        t->of = grown;
        t->of_cap = cap;
    }
    int64_t at = find(t, db, number, text);
    if (at < 0)
        return (int)at;
    t->of[t->of_count].item = item;
    t->of[t->of_count++].text = (uint32_t)at;
    return 0;
}

static int by_item(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

void query_tree_texts_moved(struct tree_texts *t, const uint32_t *to)
{
    for (size_t i = 0; i < t->of_count; i++)
        t->of[i].item = to[t->of[i].item];
    if (t->of_count)
        qsort(t->of, t->of_count, sizeof *t->of, by_item);
}

const char *query_tree_texts_line(struct tree_texts *t, size_t n)
{
    struct tree_text *error = &t->list[t->of[n].text];
    struct buf line;
    if (error->line || !error->text)
        return error->line;
    buf_init(&line, 4096);
    query_error_line(error->text, false, &line);
    error->line = strdup(buf_get(&line));
    buf_free(&line);
    return error->line;
}

void query_tree_texts_free(struct tree_texts *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free(t->list[i].text);
        free(t->list[i].line);
    }
    free(t->list);
    free(t->slots);
    free(t->of);
    *t = (struct tree_texts){0};
}
