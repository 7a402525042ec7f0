/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building the aggregated tree; see tree.h. All spans are held in memory in a
 * compact form (tree_items.c), and every walk is a loop: a hostile store may
 * hold chains of any depth, and cycles.
 */
#include "tools/query/tree/tree_internal.h"
#include <errno.h>
#include <stdlib.h>

/* ---- time axis --------------------------------------------------------- */

static void set_axis(struct tree_loader *l)
{
    struct query_tree *t = l->tree;
    t->start_ns = l->trace->start_unix_ns;
    t->end_ns = l->trace->duration_ns >= 0
                    ? l->trace->start_unix_ns + l->trace->duration_ns
                    : t->start_ns;
    bool runs = false;
    for (size_t i = 0; i < t->item_count; i++) {
        if (t->items[i].end_ns > t->end_ns)
            t->end_ns = t->items[i].end_ns;
        if (t->items[i].start_ns > t->end_ns)
            t->end_ns = t->items[i].start_ns;
        runs |= (t->items[i].flags & QUERY_SPAN_OPEN) != 0;
    }
    if (runs && l->now_ns > t->end_ns)
        t->end_ns = l->now_ns;
    for (size_t i = 0; i < t->item_count; i++)
        if (t->items[i].end_ns < t->items[i].start_ns)
            t->items[i].end_ns = t->items[i].flags & QUERY_SPAN_NO_END
                                     ? t->end_ns
                                     : t->items[i].start_ns;
}

/* ---- nodes ------------------------------------------------------------- */

static uint32_t add_node(struct query_tree *t, uint32_t parent,
                         enum query_node_kind kind, const char *name)
{
    if (t->node_count == t->node_cap) {
        size_t cap = t->node_cap ? t->node_cap * 2 : 64;
        void *nodes = realloc(t->nodes, cap * sizeof *t->nodes);
        if (!nodes)
            return QUERY_NONE;
        t->nodes = nodes;
        t->node_cap = cap;
    }
    uint32_t at = (uint32_t)t->node_count++;
    uint32_t *list =
        parent == QUERY_NONE ? &t->first_root : &t->nodes[parent].first_child;
    t->nodes[at] = (struct query_node){
        .parent = parent,
        .first_child = QUERY_NONE,
        .next = *list,
        .kind = kind,
        .name = name,
        .depth = parent == QUERY_NONE ? 0 : t->nodes[parent].depth + 1,
        .cpu_ns = -1,
        .first_start_ns = INT64_MAX,
        .example = QUERY_NONE};
    *list = at;
    return at;
}

static bool is_node(const struct query_node *n, enum query_node_kind kind,
                    const char *name)
{
    return n->kind == kind && n->name == name; /* names stand once */
}

/* The child node of that name; found ones move to the front, since what was
 * called last is called next. */
static uint32_t child_node(struct query_tree *t, uint32_t parent,
                           enum query_node_kind kind, const char *name)
{
    uint32_t *list =
        parent == QUERY_NONE ? &t->first_root : &t->nodes[parent].first_child;
    uint32_t *from = list;
    for (uint32_t at = *from; at != QUERY_NONE && !t->is_single;
         from = &t->nodes[at].next, at = *from) {
        if (!is_node(&t->nodes[at], kind, name))
            continue;
        *from = t->nodes[at].next;
        t->nodes[at].next = *list;
        *list = at;
        return at;
    }
    return add_node(t, parent, kind, name);
}

/* Recursion folds into the activation's node above, so that its depth is not
 * the tree's. */
static uint32_t folded_node(struct query_tree *t, uint32_t parent,
                            const char *name)
{
    if (t->is_single)
        return QUERY_NONE;
    for (uint32_t at = parent; at != QUERY_NONE; at = t->nodes[at].parent)
        if (is_node(&t->nodes[at], QUERY_NODE_HANDLER, name))
            return at;
    return QUERY_NONE;
}

bool query_tree_is_after(const struct query_tree *t, uint32_t i,
                         uint32_t parent)
{
    return t->items[i].start_ns >= t->items[parent].end_ns &&
           t->items[i].end_ns > t->items[parent].end_ns;
}

static bool is_nested(const struct query_tree *t, uint32_t i)
{
    uint64_t lane = (uint64_t)t->items[i].ref >> 48;
    uint32_t node = t->items[i].node;
    for (uint32_t at = t->items[i].parent; at != QUERY_NONE;
         at = t->items[at].parent) {
        if ((uint64_t)t->items[at].ref >> 48 != lane ||
            query_tree_is_after(t, i, at))
            return false;
        if (t->items[at].node == node)
            return true;
        if (!(t->items[at].flags & QUERY_SPAN_FOLDED) &&
            t->nodes[t->items[at].node].depth <= t->nodes[node].depth)
            return false;
    }
    return false;
}

/* The pseudo node above all orphans. */
static uint32_t orphans_node(struct query_tree *t)
{
    bool single = t->is_single;
    t->is_single = false;
    uint32_t at = child_node(t, QUERY_NONE, QUERY_NODE_ORPHANS, "orphans");
    t->is_single = single;
    t->orphan_count++;
    return at;
}

/* Give item `i`, whose parent has its node, a node. */
static int place(struct tree_loader *l, uint32_t i)
{
    struct query_tree *t = l->tree;
    struct query_item *item = &t->items[i];
    enum query_node_kind kind =
        item->flags & QUERY_SPAN_LOADING    ? QUERY_NODE_LOADING
        : query_ref_process(item->ref) >= 0 ? QUERY_NODE_PROCESS
                                            : QUERY_NODE_HANDLER;
    uint32_t above = QUERY_NONE;
    if (item->flags & QUERY_SPAN_ORPHAN ||
        (item->parent == QUERY_NONE && !query_tree_is_root(l, i))) {
        above = orphans_node(t);
        if (above == QUERY_NONE)
            return -ENOMEM;
    } else if (item->parent != QUERY_NONE) {
        above = t->items[item->parent].node;
        item->flags |= t->items[item->parent].flags & QUERY_SPAN_FOLDED;
    }
    uint32_t fold = kind == QUERY_NODE_HANDLER
                        ? folded_node(t, above, l->names[i])
                        : QUERY_NONE;
    if (fold != QUERY_NONE)
        item->flags |= QUERY_SPAN_FOLDED;
    item->node =
        fold != QUERY_NONE ? fold : child_node(t, above, kind, l->names[i]);
    if (item->node == QUERY_NONE)
        return -ENOMEM;
    if (item->flags & QUERY_SPAN_FOLDED && is_nested(t, i)) {
        item->flags |= QUERY_SPAN_NESTED;
        t->nodes[item->node].is_recursive = true;
    }
    return 0;
}

/* Place all that `i` hangs from, topmost first. A cycle is cut where it is
 * met: the span there counts as an orphan. */
static int place_chain(struct tree_loader *l, uint32_t i, uint32_t *stack)
{
    struct query_tree *t = l->tree;
    size_t depth = 0;
    for (uint32_t at = i; at != QUERY_NONE && t->items[at].node == QUERY_NONE;
         at = t->items[at].parent) {
        t->items[at].flags |= QUERY_SPAN_VISITED;
        stack[depth++] = at;
        uint32_t parent = t->items[at].parent;
        if (parent != QUERY_NONE && t->items[parent].node == QUERY_NONE &&
            t->items[parent].flags & QUERY_SPAN_VISITED)
            t->items[at].parent = QUERY_NONE;
    }
    while (depth > 0) {
        int err = place(l, stack[--depth]);
        if (err)
            return err;
    }
    return 0;
}

static int place_all(struct tree_loader *l)
{
    uint32_t *stack = calloc(l->tree->item_count + 1, sizeof *stack);
    int err = stack ? 0 : -ENOMEM;
    for (size_t i = 0; !err && i < l->tree->item_count; i++)
        if (l->tree->items[i].node == QUERY_NONE)
            err = place_chain(l, (uint32_t)i, stack);
    free(stack);
    return err;
}

static int build(struct tree_loader *l)
{
    set_axis(l);
    int err = query_tree_link(l);
    if (err)
        return err;
    err = place_all(l);
    if (err)
        return err;
    query_tree_total(l);
    return query_tree_sum_loading(l);
}

static int load(struct query_db *db, struct tree_loader *l)
{
    int err = query_tree_add_processes(l);
    if (!err)
        err = query_tree_add_loading(l);
    if (!err)
        err = query_tree_add_spans(db, l);
    return err ? err : build(l);
}

int query_tree_load(struct query_db *db, const struct query_trace *trace,
                    const struct query_detail *detail, int64_t now_unix_ns,
                    bool single, struct query_tree *out)
{
    *out = (struct query_tree){
        .detail = detail, .first_root = QUERY_NONE, .is_single = single};
    struct tree_loader l = {
        .tree = out, .trace = trace, .db = db, .now_ns = now_unix_ns};
    int err = load(db, &l);
    query_tree_texts_free(&l.errors);
    query_tree_texts_free(&l.orphan_texts);
    query_tree_names_free(&l.names_once);
    free(l.names);
    free(l.parent_refs);
    for (int i = 0; i < QUERY_REASONS; i++)
        free(l.orphans[i].text); /* if the tree did not take them */
    if (!err)
        err = query_tree_mark_critical(out);
    if (err)
        query_tree_free(out);
    return err;
}

void query_tree_free(struct query_tree *t)
{
    for (size_t i = 0; i < t->node_count; i++)
        for (int r = 0; r < QUERY_REASONS; r++)
            free(t->nodes[i].reasons[r].text);
    free(t->nodes);
    free(t->items);
    *t = (struct query_tree){.first_root = QUERY_NONE};
}
