/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The items of a tree: processes, and spans in a compact form (56 bytes and 16
 * while the tree is built). Spans come thread by thread, where a parent is
 * found by a look at what is open; what has its parent elsewhere is left to
 * tree_link.c. Then they are put in order of start.
 */
#include "tools/query/tree/tree_internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLIMB_MAX = 256, /* open calls of a thread that are looked at */
};

int query_tree_grow(struct tree_loader *l)
{
    struct query_tree *t = l->tree;
    if (t->item_count < t->item_cap)
        return 0;
    size_t cap = t->item_cap ? t->item_cap * 2 : 1024;
    if (cap > (size_t)INT32_MAX)
        return -E2BIG;
    void *items = realloc(t->items, cap * sizeof *t->items);
    if (items)
        t->items = items;
    void *names = realloc(l->names, cap * sizeof *l->names);
    if (names)
        l->names = names;
    void *parents = realloc(l->parent_refs, cap * sizeof *l->parent_refs);
    if (parents)
        l->parent_refs = parents;
    if (!items || !names || !parents)
        return -ENOMEM;
    t->item_cap = cap;
    return 0;
}

static uint32_t session_index(const struct query_detail *d, int64_t session)
{
    const struct query_session *s = query_session_find(d, session);
    return s ? (uint32_t)(s - d->sessions) : QUERY_NONE;
}

static uint32_t status_flags(const char *status, const char *ended_by,
                             int64_t duration_ns)
{
    uint32_t flags = 0;
    if (status && strcmp(status, "error") == 0)
        flags |= QUERY_SPAN_ERROR;
    if (status && strcmp(status, "open") == 0)
        flags |= QUERY_SPAN_OPEN;
    else if (duration_ns < 0 || (status && strcmp(status, "unfinished") == 0))
        flags |= QUERY_SPAN_UNFINISHED;
    if ((flags & QUERY_SPAN_UNFINISHED) && ended_by &&
        strcmp(ended_by, "exec") == 0)
        flags |= QUERY_SPAN_EXEC;
    if (duration_ns < 0)
        flags |= QUERY_SPAN_NO_END;
    return flags;
}

/* A process that failed has a row of its own, but the trace's own one: that its
 * headline tells. */
static const char *row_name(const struct tree_loader *l,
                            const struct query_process *p)
{
    bool is_root = query_process_ref(p->idx) == l->trace->root_ref &&
                   p->session == l->trace->session;
    if (p->failed_label && !is_root)
        return p->failed_label;
    return p->label ? p->label : "?";
}

int query_tree_add_processes(struct tree_loader *l)
{
    const struct query_detail *d = l->tree->detail;
    for (size_t i = 0; i < d->process_count; i++) {
        const struct query_process *p = &d->processes[i];
        if (p->trace != l->trace->trace)
            continue;
        int err = query_tree_grow(l);
        if (err)
            return err;
        size_t at = l->tree->item_count++;
        l->process_count = at + 1;
        l->names[at] = query_tree_name(&l->names_once, row_name(l, p));
        if (!l->names[at])
            return -ENOMEM;
        l->parent_refs[at] = query_process_parent(p);
        l->tree->items[at] = (struct query_item){
            .start_ns = p->start_unix_ns,
            .end_ns =
                p->duration_ns < 0 ? -1 : p->start_unix_ns + p->duration_ns,
            .cpu_ns = p->cpu_ns,
            .ref = query_process_ref(p->idx),
            .session = session_index(d, p->session),
            .parent = QUERY_NONE,
            .node = QUERY_NONE,
            .flags = status_flags(p->status, p->ended_by, p->duration_ns)};
    }
    return 0;
}

/* Why spans of this trace are orphans; what is one too many has no name. */
static int note_orphan(struct tree_loader *l, const char *reason)
{
    for (int i = 0; i < QUERY_REASONS; i++) {
        struct query_reason *r = &l->orphans[i];
        if (!r->text)
            r->text = strdup(reason);
        if (!r->text)
            return -ENOMEM;
        if (strcmp(r->text, reason) == 0) {
            r->count++;
            break;
        }
    }
    return 0;
}

/* The item that a span of this thread hangs from, if that is the one before it
 * or one that this hangs from: spans of a thread come in the order in which
 * they began, so what is open is all there. QUERY_NONE: look elsewhere. */
static uint32_t parent_on_thread(const struct tree_loader *l, uint32_t before,
                                 const struct query_span *s, uint32_t session)
{
    const struct query_item *items = l->tree->items;
    uint32_t at = before;
    for (int i = 0; i < CLIMB_MAX && at != QUERY_NONE; i++) {
        if (items[at].session != session)
            break;
        if (items[at].ref == s->parent_ref)
            return at;
        at = items[at].parent;
    }
    return QUERY_NONE;
}

uint32_t query_tree_process_item(const struct tree_loader *l, uint32_t session,
                                 int64_t ref)
{
    const struct query_item *items = l->tree->items;
    size_t low = 0,
           high = ref < 0 && session != QUERY_NONE ? l->process_count : 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (items[middle].session == session && items[middle].ref == ref)
            return (uint32_t)middle;
        if (items[middle].session < session ||
            (items[middle].session == session && items[middle].ref < ref))
            low = middle + 1;
        else
            high = middle;
    }
    return QUERY_NONE;
}

static uint32_t parent_of(const struct tree_loader *l, size_t at,
                          const struct query_span *s, uint32_t session)
{
    const struct query_item *before =
        at > l->first_span ? &l->tree->items[at - 1] : NULL;
    uint32_t parent = QUERY_NONE;
    if (session == QUERY_NONE || s->parent_ref == 0 || s->parent_ref == s->ref)
        return QUERY_NONE;
    if (before && before->session == session &&
        before->ref >> 48 == s->ref >> 48)
        parent = parent_on_thread(l, (uint32_t)at - 1, s, session);
    return parent != QUERY_NONE
               ? parent
               : query_tree_process_item(l, session, s->parent_ref);
}

static int add_span(void *context, const struct query_span *s)
{
    struct tree_loader *l = context;
    int err = query_tree_grow(l);
    if (err)
        return err;
    const struct query_detail *d = l->tree->detail;
    size_t at = l->tree->item_count;
    if (s->session != l->last_session || at == l->first_span) {
        l->last_session = s->session;
        l->last_index = session_index(d, s->session);
    }
    l->names[at] = query_tree_site_name(&l->names_once, d, s->session, s->site);
    if (!l->names[at])
        return -ENOMEM;
    l->parent_refs[at] = s->parent_ref;
    l->tree->items[at] = (struct query_item){
        .start_ns = s->start_unix_ns,
        .end_ns = s->duration_ns < 0 ? -1 : s->start_unix_ns + s->duration_ns,
        .cpu_ns = s->cpu_ns,
        .queue_ns = s->queue_ns,
        .ref = s->ref,
        .session = l->last_index,
        .parent = parent_of(l, at, s, l->last_index),
        .node = QUERY_NONE,
        .flags = status_flags(s->status, s->ended_by, s->duration_ns) |
                 (s->orphan ? QUERY_SPAN_ORPHAN : 0)};
    l->tree->item_count++;
    l->tree->span_count++;
    if (s->orphan)
        err = query_tree_texts_add(&l->orphan_texts, l->db, (uint32_t)at, 0,
                                   s->orphan);
    if (!err && (s->error || s->error_text))
        err = query_tree_texts_add(&l->errors, l->db, (uint32_t)at,
                                   s->error_text, s->error);
    return err;
}

/* ---- in order of start ----------------------------------------------------
 */

static int by_start(const void *a, const void *b, void *context)
{
    const struct query_item *items = context;
    const struct query_item *x = &items[*(const uint32_t *)a],
                            *y = &items[*(const uint32_t *)b];
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    if (x->session != y->session)
        return x->session < y->session ? -1 : 1;
    return x->ref < y->ref ? -1 : x->ref > y->ref;
}

static bool is_sorted(const struct tree_loader *l)
{
    struct query_item *items = l->tree->items;
    for (uint32_t i = (uint32_t)l->first_span + 1; i < l->tree->item_count; i++)
        if (by_start(&(uint32_t){i - 1}, &(uint32_t){i}, items) > 0)
            return false;
    return true;
}

/* What stood at order[i] comes to i, in place: each cycle is walked once. `to`
 * is told where each went. */
static void permute(struct tree_loader *l, uint32_t *order, uint32_t *to)
{
    struct query_item *items = l->tree->items;
    uint32_t count = (uint32_t)l->tree->item_count;
    for (uint32_t i = 0; i < count; i++)
        to[order[i]] = i;
    for (uint32_t i = 0; i < count; i++) {
        struct query_item item = items[i];
        const char *name = l->names[i];
        int64_t parent_ref = l->parent_refs[i];
        uint32_t at = i;
        for (uint32_t from = order[at]; from != i; from = order[at]) {
            items[at] = items[from];
            l->names[at] = l->names[from];
            l->parent_refs[at] = l->parent_refs[from];
            order[at] = at;
            at = from;
        }
        items[at] = item;
        l->names[at] = name;
        l->parent_refs[at] = parent_ref;
        order[at] = at;
    }
}

static int sort(struct tree_loader *l)
{
    struct query_tree *t = l->tree;
    if (is_sorted(l))
        return 0;
    uint32_t *order = malloc(t->item_count * sizeof *order);
    uint32_t *to = malloc(t->item_count * sizeof *to);
    int err = order && to ? 0 : -ENOMEM;
    if (!err) {
        for (uint32_t i = 0; i < t->item_count; i++)
            order[i] = i;
        qsort_r(order + l->first_span, t->item_count - l->first_span,
                sizeof *order, by_start, t->items);
        permute(l, order, to);
        for (size_t i = 0; i < t->item_count; i++)
            if (t->items[i].parent != QUERY_NONE)
                t->items[i].parent = to[t->items[i].parent];
        query_tree_texts_moved(&l->errors, to);
        query_tree_texts_moved(&l->orphan_texts, to);
    }
    free(order);
    free(to);
    return err;
}

int query_tree_add_spans(struct query_db *db, struct tree_loader *l)
{
    l->first_span = l->tree->item_count;
    int err = query_spans_by_thread(db, l->trace->trace, add_span, l);
    if (!err)
        err = sort(l);
    for (size_t i = 0; !err && i < l->orphan_texts.of_count; i++)
        err = note_orphan(
            l, l->orphan_texts.list[l->orphan_texts.of[i].text].text);
    return err;
}
