/* SPDX-License-Identifier: Apache-2.0 */
/* Rows "(loading)": from the exec of a process until its first handler could
 * run; see tree_internal.h. */
#include "tools/query/tree/tree_internal.h"
#include <errno.h>
#include <stdlib.h>

static const struct query_process *process_of(const struct query_tree *t,
                                              size_t i)
{
    const struct query_item *item = &t->items[i];
    if (item->session == QUERY_NONE)
        return NULL;
    return query_process_find(t->detail,
                              t->detail->sessions[item->session].session,
                              query_ref_process(item->ref));
}

int query_tree_add_loading(struct tree_loader *l)
{
    size_t processes = l->tree->item_count;
    for (size_t i = 0; i < processes; i++) {
        const struct query_item process = l->tree->items[i];
        const struct query_process *p = process_of(l->tree, i);
        if (!p || p->loading_ns < 0)
            continue;
        int err = query_tree_grow(l);
        if (err)
            return err;
        size_t at = l->tree->item_count++;
        l->names[at] = query_tree_name(&l->names_once, "(loading)");
        if (!l->names[at])
            return -ENOMEM;
        l->parent_refs[at] = process.ref;
        l->tree->items[at] =
            (struct query_item){.start_ns = process.start_ns,
                                .end_ns = process.start_ns + p->loading_ns,
                                .cpu_ns = p->loading_cpu_ns,
                                .session = process.session,
                                .parent = (uint32_t)i,
                                .node = QUERY_NONE,
                                .flags = QUERY_SPAN_LOADING};
        l->loading_count++;
    }
    return 0;
}

struct piece {
    int64_t start_ns, end_ns;
};

static int by_start(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

/* Those that are still there; what became another process has none. */
static size_t list_loading(const struct query_tree *t, struct piece *out)
{
    size_t count = 0;
    for (size_t i = 0; i < t->item_count; i++)
        if (t->items[i].flags & QUERY_SPAN_LOADING)
            out[count++] =
                (struct piece){t->items[i].start_ns, t->items[i].end_ns};
    qsort(out, count, sizeof *out, by_start);
    return count;
}

static int64_t cover(int64_t start_ns, int64_t end_ns, int64_t *until_ns)
{
    int64_t from = start_ns > *until_ns ? start_ns : *until_ns;
    if (end_ns <= from)
        return 0;
    *until_ns = end_ns;
    return end_ns - from;
}

/* A sweep over both, each in order of start. */
int query_tree_sum_loading(struct tree_loader *l)
{
    struct query_tree *t = l->tree;
    int64_t until = INT64_MIN, all_ns = 0;
    if (l->loading_count == 0)
        return 0;
    struct piece *loading = calloc(l->loading_count, sizeof *loading);
    if (!loading)
        return -ENOMEM;
    size_t count = list_loading(t, loading), next = 0;
    for (size_t i = 0; i < t->item_count; i++) {
        const struct query_item *item = &t->items[i];
        if (query_ref_process(item->ref) >= 0 ||
            item->flags & QUERY_SPAN_LOADING)
            continue;
        for (; next < count && loading[next].start_ns <= item->start_ns; next++)
            all_ns +=
                cover(loading[next].start_ns, loading[next].end_ns, &until);
        all_ns += cover(item->start_ns, item->end_ns, &until);
    }
    for (; next < count; next++)
        all_ns += cover(loading[next].start_ns, loading[next].end_ns, &until);
    t->loading_ns = all_ns - t->top_ns;
    free(loading);
    return 0;
}
