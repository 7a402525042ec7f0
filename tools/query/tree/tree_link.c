/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who hangs from whom. Inside a session a parent is a reference; a session
 * itself hangs from a span id, which may be of any session of the trace, or of
 * a span that is not in this store. Sessions come in any order and by the
 * thousand: one pass over the items, no session is looked for in turn.
 */
#include "tools/query/tree/tree_internal.h"
#include "lane/format/ids.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct remote { /* a session, and the span id it hangs from */
    uint64_t id;
    uint32_t session, parent; /* parent: item */
};
struct link {
    struct tree_loader *l;
    uint32_t *hash; /* item + 1, by session and reference */
    size_t hash_mask;
    struct remote *remotes; /* sorted by id */
    size_t remote_count;
};

static size_t hash_of(uint32_t session, int64_t ref)
{
    uint64_t x = (uint64_t)ref * 0x9e3779b97f4a7c15ULL ^ session;
    x ^= x >> 29;
    return (size_t)(x * 0xbf58476d1ce4e5b9ULL >> 16);
}

static int build_hash(struct link *k)
{
    const struct query_tree *t = k->l->tree;
    size_t size = 16;
    while (size < t->item_count * 2)
        size *= 2;
    k->hash = calloc(size, sizeof *k->hash);
    if (!k->hash)
        return -ENOMEM;
    k->hash_mask = size - 1;
    for (size_t i = 0; i < t->item_count; i++) {
        const struct query_item *item = &t->items[i];
        size_t at = hash_of(item->session, item->ref) & k->hash_mask;
        while (k->hash[at])
            at = (at + 1) & k->hash_mask;
        k->hash[at] = (uint32_t)i + 1;
    }
    return 0;
}

static uint32_t find_item(const struct link *k, uint32_t session, int64_t ref)
{
    size_t at = hash_of(session, ref) & k->hash_mask;
    for (; k->hash[at]; at = (at + 1) & k->hash_mask) {
        const struct query_item *item = &k->l->tree->items[k->hash[at] - 1];
        if (item->ref == ref && item->session == session)
            return k->hash[at] - 1;
    }
    return QUERY_NONE;
}

bool query_tree_is_root(const struct tree_loader *l, size_t i)
{
    const struct query_item *item = &l->tree->items[i];
    if (query_ref_process(item->ref) >= 0)
        return true;
    const struct query_detail *d = l->tree->detail;
    return item->session != QUERY_NONE &&
           item->ref == d->sessions[item->session].root_ref;
}

/* ---- parents in other sessions ------------------------------------------ */

static int by_id(const void *a, const void *b)
{
    const struct remote *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int list_remotes(struct link *k)
{
    const struct query_detail *d = k->l->tree->detail;
    k->remotes = calloc(d->session_count + 1, sizeof *k->remotes);
    if (!k->remotes)
        return -ENOMEM;
    for (size_t i = 0; i < d->session_count; i++)
        if (d->sessions[i].remote_parent)
            k->remotes[k->remote_count++] = (struct remote){
                d->sessions[i].remote_parent, (uint32_t)i, QUERY_NONE};
    qsort(k->remotes, k->remote_count, sizeof *k->remotes, by_id);
    return 0;
}

/* If sessions hang from this item, tell them. */
static void offer(struct link *k, uint32_t i)
{
    const struct query_tree *t = k->l->tree;
    const struct query_item *item = &t->items[i];
    if (item->session == QUERY_NONE)
        return;
    uint64_t id = lane_span_id(t->detail->sessions[item->session].key,
                               (uint64_t)item->ref);
    size_t low = 0, high = k->remote_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (k->remotes[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < k->remote_count && k->remotes[low].id == id; low++)
        if (k->remotes[low].session != item->session)
            k->remotes[low].parent = i;
}

/* The parent of a session's roots. */
static uint32_t *parents_of_sessions(struct link *k)
{
    size_t count = k->l->tree->detail->session_count;
    uint32_t *of = malloc((count + 1) * sizeof *of);
    if (!of)
        return NULL;
    memset(of, 0xff, (count + 1) * sizeof *of); /* QUERY_NONE */
    for (size_t i = 0; i < k->remote_count; i++)
        of[k->remotes[i].session] = k->remotes[i].parent;
    return of;
}

/* In its session; most were found when they were read. */
static int find_parent(struct link *k, struct query_item *item, int64_t ref)
{
    int err = 0;
    item->parent = query_tree_process_item(k->l, item->session, ref);
    if (item->parent != QUERY_NONE)
        return 0;
    if (!k->hash)
        err = build_hash(k);
    if (!err)
        item->parent = find_item(k, item->session, ref);
    return err;
}

static int link_parents(struct link *k)
{
    struct tree_loader *l = k->l;
    struct query_tree *t = l->tree;
    int err = 0;
    for (uint32_t i = 0; k->remote_count && i < t->item_count; i++)
        offer(k, i);
    uint32_t *of_session = parents_of_sessions(k);
    if (!of_session)
        return -ENOMEM;
    for (size_t i = 0; i < t->item_count && !err; i++) {
        struct query_item *item = &t->items[i];
        if (item->parent != QUERY_NONE)
            continue;
        if (l->parent_refs[i] && l->parent_refs[i] != item->ref)
            err = find_parent(k, item, l->parent_refs[i]);
        else if (item->session != QUERY_NONE && query_tree_is_root(l, i))
            item->parent = of_session[item->session];
        t->outside_count +=
            item->parent == QUERY_NONE && item->session != QUERY_NONE &&
            query_tree_is_root(l, i) &&
            t->detail->sessions[item->session].remote_parent != 0;
    }
    free(of_session);
    return err;
}

/* ---- exec -------------------------------------------------------------- */

/* The process that an item is; NULL: it is a span. */
static const struct query_process *process_of(const struct query_tree *t,
                                              uint32_t i)
{
    const struct query_item *item = &t->items[i];
    int64_t idx = query_ref_process(item->ref);
    if (idx < 0 || item->session == QUERY_NONE)
        return NULL;
    return query_process_find(t->detail,
                              t->detail->sessions[item->session].session, idx);
}

/* Does `i` go on as the process that its parent was? */
static bool is_successor(const struct query_tree *t, uint32_t i)
{
    uint32_t above = t->items[i].parent;
    if (above == QUERY_NONE || t->items[above].session == t->items[i].session)
        return false;
    const struct query_process *mine = process_of(t, i);
    const struct query_process *other = mine ? process_of(t, above) : NULL;
    return other && other->pid == mine->pid && other->ended_by &&
           strcmp(other->ended_by, "exec") == 0;
}

/* Move items that stay to the front; `to` tells where each went. */
static void compact(struct tree_loader *l, const bool *is_stub, uint32_t *to)
{
    struct query_tree *t = l->tree;
    size_t n = 0;
    for (size_t i = 0; i < t->item_count; i++) {
        to[i] = QUERY_NONE;
        if (is_stub[i]) /* a process or its loading: it has no error here */
            continue;
        to[i] = (uint32_t)n;
        t->items[n] = t->items[i];
        l->names[n] = l->names[i];
        l->parent_refs[n] = l->parent_refs[i];
        n++;
    }
    t->item_count = n;
    query_tree_texts_moved(&l->errors, to);
    for (size_t i = 0; i < n; i++)
        if (t->items[i].parent != QUERY_NONE)
            t->items[i].parent = to[t->items[i].parent];
}

/* A forked shell that only execs, `env` before its program: such a process is
 * shown as what it became, from its own start on. */
static int drop_stubs(struct tree_loader *l)
{
    struct query_tree *t = l->tree;
    if (l->process_count < 2)
        return 0;
    uint32_t *children = calloc(t->item_count + 1, sizeof *children);
    bool *is_stub = calloc(t->item_count + 1, sizeof *is_stub);
    int err = children && is_stub ? 0 : -ENOMEM;
    bool any = false;
    for (size_t i = 0; !err && i < t->item_count; i++)
        if (t->items[i].parent != QUERY_NONE &&
            !(t->items[i].flags & QUERY_SPAN_LOADING))
            children[t->items[i].parent]++;
    for (size_t n = t->item_count; !err && n > 0; n--) {
        /* of a chain of execs the last one may be anywhere: go up from each */
        uint32_t i = (uint32_t)n - 1;
        while (!is_stub[i] && is_successor(t, i) &&
               children[t->items[i].parent] == 1) {
            struct query_item *above = &t->items[t->items[i].parent];
            is_stub[t->items[i].parent] = any = true;
            if (above->start_ns < t->items[i].start_ns)
                t->items[i].start_ns = above->start_ns;
            t->items[i].parent = above->parent;
        }
    }
    for (size_t i = 0; !err && any && i < t->item_count; i++)
        if (t->items[i].flags & QUERY_SPAN_LOADING &&
            t->items[i].parent != QUERY_NONE && is_stub[t->items[i].parent])
            is_stub[i] = true;
    if (!err && any)
        compact(l, is_stub, children);
    free(children);
    free(is_stub);
    return err;
}

int query_tree_link(struct tree_loader *l)
{
    struct link k = {.l = l};
    int err = list_remotes(&k);
    if (!err)
        err = link_parents(&k);
    if (!err)
        err = drop_stubs(l);
    free(k.hash);
    free(k.remotes);
    return err;
}
