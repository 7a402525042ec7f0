/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the nodes of a tree come to, once each item has its node: calls, times,
 * errors and their reasons; and the order of the nodes, by their first start.
 */
#include "tools/query/tree/tree_internal.h"
#include <stdlib.h>
#include <string.h>

static void add_reason(struct query_node *n, const char *line)
{
    for (int i = 0; i < QUERY_REASONS; i++) {
        struct query_reason *r = &n->reasons[i];
        if (!r->text)
            r->text = strdup(line);
        else if (strcmp(r->text, line) != 0)
            continue;
        r->count++;
        break;
    }
}

/* A thread that was started inside a short handler, or a process. What was
 * handed over on purpose has a queue time, and is none of these. */
static void add_after(const struct query_tree *t, const struct query_item *item)
{
    if (item->parent == QUERY_NONE || item->queue_ns >= 0)
        return;
    const struct query_item *p = &t->items[item->parent];
    bool is_call = query_ref_process(p->ref) < 0 &&
                   !(p->flags & (QUERY_SPAN_LOADING | QUERY_SPAN_NO_END));
    bool is_same = p->session == item->session &&
                   (uint64_t)p->ref >> 48 == (uint64_t)item->ref >> 48;
    int64_t from = item->start_ns > p->end_ns ? item->start_ns : p->end_ns;
    if (!is_call || is_same || item->end_ns <= from)
        return;
    struct query_node *n = &t->nodes[item->node];
    n->after_calls++;
    n->after_ns += item->end_ns - from;
    n->after = t->nodes[p->node].name;
}

static void add_totals(struct query_tree *t, uint32_t i)
{
    const struct query_item *item = &t->items[i];
    struct query_node *n = &t->nodes[item->node];
    int64_t ns = item->end_ns - item->start_ns;
    n->calls++;
    n->example = n->example == QUERY_NONE ? i : n->example;
    n->open += (item->flags & QUERY_SPAN_OPEN) != 0;
    n->unfinished += (item->flags & QUERY_SPAN_UNFINISHED) != 0;
    n->execs += (item->flags & QUERY_SPAN_EXEC) != 0;
    n->max_ns = ns > n->max_ns ? ns : n->max_ns;
    n->first_start_ns =
        item->start_ns < n->first_start_ns ? item->start_ns : n->first_start_ns;
    add_after(t, item);
    n->queue_ns += item->queue_ns > 0 ? item->queue_ns : 0;
    if (!(item->flags & QUERY_SPAN_NESTED)) {
        n->total_ns += ns;
        if (item->cpu_ns >= 0)
            n->cpu_ns = (n->cpu_ns < 0 ? 0 : n->cpu_ns) + item->cpu_ns;
    }
    if (item->flags & QUERY_SPAN_ERROR) {
        n->errors++;
        n->failed_ns += ns;
    }
}

/* Orphans have no time of their own: they take that of what they stand for. */
static void sum_orphans(struct tree_loader *l)
{
    struct query_tree *t = l->tree;
    for (size_t i = 0; i < t->node_count; i++) {
        if (t->nodes[i].kind != QUERY_NODE_ORPHANS)
            continue;
        struct query_node *n = &t->nodes[i];
        n->calls = t->orphan_count;
        memcpy(n->reasons, l->orphans, sizeof n->reasons);
        memset(l->orphans, 0, sizeof l->orphans);
        n->first_start_ns = INT64_MAX; /* last of all */
        for (uint32_t c = n->first_child; c != QUERY_NONE; c = t->nodes[c].next)
            n->total_ns += t->nodes[c].total_ns;
    }
}

static uint32_t merge(struct query_tree *t, uint32_t a, uint32_t b)
{
    uint32_t head = QUERY_NONE, *tail = &head;
    while (a != QUERY_NONE && b != QUERY_NONE) {
        bool first = t->nodes[a].first_start_ns <= t->nodes[b].first_start_ns;
        uint32_t *take = first ? &a : &b;
        uint32_t at = *take;
        *take = t->nodes[at].next;
        *tail = at;
        tail = &t->nodes[at].next;
    }
    *tail = a != QUERY_NONE ? a : b;
    return head;
}

/* Bottom-up merge sort of a list by first start; runs of 2^i in slot i. */
static uint32_t sort_list(struct query_tree *t, uint32_t list)
{
    uint32_t runs[32];
    memset(runs, 0xff, sizeof runs);
    while (list != QUERY_NONE) {
        uint32_t one = list;
        list = t->nodes[one].next;
        t->nodes[one].next = QUERY_NONE;
        size_t i = 0;
        for (; i < 31 && runs[i] != QUERY_NONE; i++) {
            one = merge(t, runs[i], one);
            runs[i] = QUERY_NONE;
        }
        runs[i] = merge(t, runs[i], one);
    }
    uint32_t all = QUERY_NONE;
    for (size_t i = 0; i < 32; i++)
        all = merge(t, runs[i], all);
    return all;
}

static void sort_nodes(struct query_tree *t)
{
    t->first_root = sort_list(t, t->first_root);
    for (size_t i = 0; i < t->node_count; i++)
        t->nodes[i].first_child = sort_list(t, t->nodes[i].first_child);
}

/* Time covered by at least one handler: a sweep, since items other than
 * processes are in order of start. */
static void sum_top(struct query_tree *t)
{
    int64_t until = INT64_MIN;
    for (size_t i = 0; i < t->item_count; i++) {
        const struct query_item *item = &t->items[i];
        if (query_ref_process(item->ref) >= 0 ||
            item->flags & QUERY_SPAN_LOADING)
            continue;
        int64_t from = item->start_ns > until ? item->start_ns : until;
        if (item->end_ns > from) {
            t->top_ns += item->end_ns - from;
            until = item->end_ns;
        }
        bool is_top = item->parent == QUERY_NONE ||
                      query_ref_process(t->items[item->parent].ref) >= 0 ||
                      (uint64_t)t->items[item->parent].ref >> 48 !=
                          (uint64_t)item->ref >> 48 ||
                      query_tree_is_after(t, (uint32_t)i, item->parent);
        if (is_top && item->cpu_ns > 0)
            t->top_cpu_ns += item->cpu_ns;
    }
}

void query_tree_total(struct tree_loader *l)
{
    struct query_tree *t = l->tree;
    for (size_t i = 0; i < t->item_count; i++)
        add_totals(t, (uint32_t)i);
    for (size_t i = 0; i < l->errors.of_count; i++) {
        const struct query_item *item = &t->items[l->errors.of[i].item];
        const char *line = query_tree_texts_line(&l->errors, i);
        if (line && item->flags & QUERY_SPAN_ERROR)
            add_reason(&t->nodes[item->node], line);
    }
    sum_orphans(l);
    sort_nodes(t);
    sum_top(t);
}
