/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folded stacks (flame graphs): names from the root, then nanoseconds. The
 * number of a path is the self time of its calls; what a call spent in calls
 * that have no span of their own stands below it as "(no detail)". Recursion
 * (all of its own time, where that is not known); a process has "(loading)"
 * below it. Recursion is folded into the call above, as on the screens, so that
 * no path is longer than there are names.
 */
#include "tools/cli/export/export.h"
#include "tools/common/text/text.h"
#include "tools/common/text/hash.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

struct item {
    uint64_t id, parent_id;
    const char *name; /* of the trace's detail */
    int64_t start_ns, end_ns, self_ns, below_ns, loading_ns;
    uint64_t thread; /* which one, 0: a process, whose time is its threads' */
    uint32_t parent, node, children;
    bool is_orphan, is_visited, has_returned;
};
struct node {
    const char *name;
    uint32_t parent;
    int64_t self_ns, untold_ns;
};
struct folded {
    struct item *items;
    struct node *nodes;
    uint32_t *by_id, *by_name; /* hashes: item + 1, node + 1 */
    size_t item_count, item_cap, node_count, mask;
};

static size_t hash_of(uint64_t x)
{
    x *= 0x9e3779b97f4a7c15ULL;
    return (size_t)(x ^ x >> 29);
}

static int add_item(void *context, const struct export_span *s)
{
    struct folded *f = context;
    if (f->item_count == f->item_cap) {
        size_t cap = f->item_cap ? 2 * f->item_cap : 1024;
        struct item *more =
            cap < NONE / 4 ? reallocarray(f->items, cap, sizeof *more) : NULL;
        if (!more)
            return -ENOMEM;
        f->items = more;
        f->item_cap = cap;
    }
    f->items[f->item_count++] = (struct item){
        .id = s->id,
        .parent_id = s->parent_id,
        .name = s->name,
        .start_ns = s->start_unix_ns,
        .end_ns = s->shown_end_ns,
        .self_ns = s->self_ns,
        .thread = s->is_process ? 0
                                : (uint64_t)s->session << 16 ^
                                      ((uint64_t)s->ref >> 48) ^ 1ULL << 63,
        .parent = NONE,
        .node = NONE,
        .loading_ns = s->is_process ? s->process->loading_ns : -1,
        .is_orphan = s->is_orphan,
        .has_returned = s->ended_by && strcmp(s->ended_by, "return") == 0};
    return 0;
}

static uint32_t find_item(const struct folded *f, uint64_t id)
{
    for (size_t at = hash_of(id) & f->mask; id && f->by_id[at];
         at = (at + 1) & f->mask)
        if (f->items[f->by_id[at] - 1].id == id)
            return f->by_id[at] - 1;
    return NONE;
}

static int link_items(struct folded *f)
{
    size_t size = 16;
    while (size < 4 * (f->item_count + 1))
        size *= 2;
    f->mask = size - 1;
    f->by_id = calloc(size, sizeof *f->by_id);
    f->by_name = calloc(size, sizeof *f->by_name);
    /* of each item, its loading, and above the orphans */
    f->nodes = calloc(2 * f->item_count + 1, sizeof *f->nodes);
    if (!f->by_id || !f->by_name || !f->nodes)
        return -ENOMEM;
    for (size_t i = 0; i < f->item_count; i++) {
        size_t at = hash_of(f->items[i].id) & f->mask;
        while (f->by_id[at])
            at = (at + 1) & f->mask;
        f->by_id[at] = (uint32_t)i + 1;
    }
    for (size_t i = 0; i < f->item_count; i++)
        f->items[i].parent = find_item(f, f->items[i].parent_id);
    return 0;
}

/* ---- paths --------------------------------------------------------------- */

static uint32_t node_of(struct folded *f, uint32_t parent, const char *name)
{
    size_t at = hash_of(hash_text(parent, name)) & f->mask;
    for (; f->by_name[at]; at = (at + 1) & f->mask) {
        const struct node *n = &f->nodes[f->by_name[at] - 1];
        if (n->parent == parent && strcmp(n->name, name) == 0)
            return f->by_name[at] - 1;
    }
    f->nodes[f->node_count] = (struct node){.name = name, .parent = parent};
    f->by_name[at] = (uint32_t)f->node_count + 1;
    return (uint32_t)f->node_count++;
}

/* Whose parent has its node. */
static uint32_t place(struct folded *f, const struct item *item)
{
    uint32_t above = item->parent != NONE ? f->items[item->parent].node
                     : item->is_orphan    ? node_of(f, NONE, "orphans")
                                          : NONE;
    for (uint32_t at = above; item->thread && at != NONE;
         at = f->nodes[at].parent)
        if (strcmp(f->nodes[at].name, item->name) == 0)
            return at;
    return node_of(f, above, item->name);
}

/* All above `i`, topmost first; a hostile store may have cycles. */
static void place_chain(struct folded *f, uint32_t i, uint32_t *stack)
{
    size_t depth = 0;
    for (uint32_t at = i; at != NONE && f->items[at].node == NONE;
         at = f->items[at].parent) {
        struct item *item = &f->items[at];
        item->is_visited = true;
        stack[depth++] = at;
        if (item->parent != NONE && f->items[item->parent].node == NONE &&
            f->items[item->parent].is_visited)
            item->parent = NONE;
    }
    while (depth > 0) {
        depth--;
        f->items[stack[depth]].node = place(f, &f->items[stack[depth]]);
    }
}

/* ---- times --------------------------------------------------------------- */

/* What a call took is not its parent's own: on the same thread, and while that
 * was still there. */
static void sum_below(struct folded *f)
{
    for (size_t i = 0; i < f->item_count; i++) {
        const struct item *item = &f->items[i];
        if (item->parent == NONE)
            continue;
        struct item *parent = &f->items[item->parent];
        if (item->start_ns >= parent->end_ns ||
            (parent->thread && parent->thread != item->thread))
            continue;
        parent->below_ns += item->end_ns - item->start_ns;
        parent->children++;
    }
}

static void sum_self(struct folded *f)
{
    for (size_t i = 0; i < f->item_count; i++) {
        const struct item *item = &f->items[i];
        struct node *n = &f->nodes[item->node];
        int64_t rest = item->end_ns - item->start_ns - item->below_ns;
        if (item->loading_ns > 0) {
            rest -= item->loading_ns;
            f->nodes[node_of(f, item->node, "(loading)")].self_ns +=
                item->loading_ns;
        }
        rest = rest > 0 ? rest : 0;
        if (item->self_ns >= 0) {
            n->self_ns += item->self_ns;
            /* each of them is rounded */
            if (rest - item->self_ns > (int64_t)item->children + 1)
                n->untold_ns += rest - item->self_ns;
        } else if (item->has_returned) {
            n->untold_ns += rest;
        } else {
            n->self_ns += rest;
        }
    }
}

/* ---- lines --------------------------------------------------------------- */

static void put_path(const struct folded *f, uint32_t node, uint32_t *stack,
                     FILE *out)
{
    size_t depth = 0;
    for (uint32_t at = node; at != NONE; at = f->nodes[at].parent)
        stack[depth++] = at;
    while (depth > 0) {
        struct text_shown shown = text_shown(f->nodes[stack[--depth]].name);
        for (const char *c = shown.text; *c; c++)
            fputc(*c == ';' ? ':' : *c, out);
        fputs(depth ? ";" : "", out);
    }
}

static int put_lines(const struct folded *f, uint32_t *stack, FILE *out)
{
    for (size_t i = 0; i < f->node_count; i++) {
        const struct node *n = &f->nodes[i];
        if (n->self_ns > 0) {
            put_path(f, (uint32_t)i, stack, out);
            fprintf(out, " %" PRId64 "\n", n->self_ns);
        }
        if (n->untold_ns > 0) {
            put_path(f, (uint32_t)i, stack, out);
            fprintf(out, ";(no detail) %" PRId64 "\n", n->untold_ns);
        }
    }
    return ferror(out) ? -EIO : 0;
}

int export_folded(const struct export *x)
{
    struct folded f = {0};
    int err = export_each(x, add_item, &f);
    if (!err)
        err = link_items(&f);
    uint32_t *stack = calloc(f.item_count + 1, sizeof *stack);
    if (!err && !stack)
        err = -ENOMEM;
    for (size_t i = 0; !err && i < f.item_count; i++)
        place_chain(&f, (uint32_t)i, stack);
    if (!err) {
        sum_below(&f);
        sum_self(&f);
        err = put_lines(&f, stack, x->out);
    }
    free(stack);
    free(f.items);
    free(f.nodes);
    free(f.by_id);
    free(f.by_name);
    return err;
}
