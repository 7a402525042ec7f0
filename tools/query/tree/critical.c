/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The critical path, and the bars. The path is walked backwards from the end
 * of the root: of the children that end before the point where we stand the
 * last one is what was waited for; what no child covers is the parent's own.
 * So of handlers that run side by side only the one that holds up the end is
 * on it. A node is marked from a tenth of the whole on, or everything of a
 * program with one thread would be.
 */
#include "tools/query/tree/tree_internal.h"
#include <errno.h>
#include <stdlib.h>

enum {
    MARK_PART = 10
};

struct children { /* items below each item, by end, last first */
    uint32_t *first, *list;
};

/* qsort has no context */
static _Thread_local const struct query_item *sort_items;
static int by_end(const void *a, const void *b)
{
    const struct query_item *x = &sort_items[*(const uint32_t *)a];
    const struct query_item *y = &sort_items[*(const uint32_t *)b];
    return x->end_ns < y->end_ns ? 1 : x->end_ns > y->end_ns ? -1 : 0;
}

/* A group, in order of start: last end first. What was called one after the
 * other, as most is, is turned round. */
static void sort_group(const struct query_tree *t, uint32_t *list, size_t count)
{
    size_t i = 1;
    while (i < count && t->items[list[i - 1]].end_ns < t->items[list[i]].end_ns)
        i++;
    if (i < count) {
        sort_items = t->items;
        qsort(list, count, sizeof *list, by_end);
        return;
    }
    for (i = 0; i < count / 2; i++) {
        uint32_t last = list[count - 1 - i];
        list[count - 1 - i] = list[i];
        list[i] = last;
    }
}

/* Counting sort by parent, then each group by end. */
static int group(const struct query_tree *t, struct children *c)
{
    size_t n = t->item_count;
    c->first = calloc(n + 2, sizeof *c->first);
    c->list = calloc(n + 1, sizeof *c->list);
    if (!c->first || !c->list)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (t->items[i].parent != QUERY_NONE)
            c->first[t->items[i].parent + 2]++;
    for (size_t i = 2; i < n + 2; i++)
        c->first[i] += c->first[i - 1];
    for (size_t i = 0; i < n; i++)
        if (t->items[i].parent != QUERY_NONE)
            c->list[c->first[t->items[i].parent + 1]++] = (uint32_t)i;
    for (size_t i = 0; i < n; i++)
        if (c->first[i + 1] - c->first[i] > 1)
            sort_group(t, c->list + c->first[i], c->first[i + 1] - c->first[i]);
    return 0;
}

struct frame {
    uint32_t item, next; /* next child to look at */
    int64_t at_ns;       /* everything after it is accounted for */
    int64_t own_ns;
};

/* The next child of a frame that ends what we wait for; clips what overlaps. */
static bool next_child(const struct query_tree *t, const struct children *c,
                       struct frame *f, struct frame *child)
{
    while (f->next < c->first[f->item + 1]) {
        uint32_t i = c->list[f->next++];
        const struct query_item *item = &t->items[i];
        int64_t end = item->end_ns < f->at_ns ? item->end_ns : f->at_ns;
        int64_t start = item->start_ns > t->items[f->item].start_ns
                            ? item->start_ns
                            : t->items[f->item].start_ns;
        if (end <= start)
            continue;
        f->own_ns += f->at_ns - end;
        f->at_ns = start;
        *child = (struct frame){.item = i, .next = c->first[i], .at_ns = end};
        return true;
    }
    return false;
}

/* What is told of each stretch of the path. */
struct listener {
    void (*each)(void *context, uint32_t item, int64_t from_ns, int64_t to_ns);
    void *context;
};

static void tell(const struct listener *l, uint32_t item, int64_t from_ns,
                 int64_t to_ns)
{
    if (l && to_ns > from_ns)
        l->each(l->context, item, from_ns, to_ns);
}

static void walk(struct query_tree *t, const struct children *c, uint32_t root,
                 struct frame *stack, const struct listener *l)
{
    size_t depth = 1;
    stack[0] = (struct frame){
        .item = root, .next = c->first[root], .at_ns = t->items[root].end_ns};
    while (depth > 0) {
        struct frame *f = &stack[depth - 1];
        int64_t until = f->at_ns;
        if (next_child(t, c, f, &stack[depth])) {
            tell(l, f->item, stack[depth].at_ns, until);
            depth++;
            continue;
        }
        int64_t start = t->items[f->item].start_ns;
        tell(l, f->item, start, f->at_ns);
        if (f->at_ns > start)
            f->own_ns += f->at_ns - start;
        if (!l)
            t->nodes[t->items[f->item].node].critical_ns += f->own_ns;
        depth--;
    }
}

/* The root that the trace is about: the one that ends last. */
static uint32_t main_root(const struct query_tree *t)
{
    uint32_t best = QUERY_NONE;
    for (size_t i = 0; i < t->item_count; i++) {
        const struct query_item *item = &t->items[i];
        if (item->parent != QUERY_NONE ||
            t->nodes[item->node].parent != QUERY_NONE)
            continue;
        if (best == QUERY_NONE || item->end_ns > t->items[best].end_ns)
            best = (uint32_t)i;
    }
    return best;
}

static void mark(struct query_tree *t, int64_t whole_ns)
{
    /* a node stands after its parent in the array */
    for (size_t i = t->node_count; i-- > 0;) {
        struct query_node *n = &t->nodes[i];
        if (n->parent != QUERY_NONE)
            t->nodes[n->parent].critical_ns += n->critical_ns;
        n->is_critical = whole_ns > 0 && n->critical_ns > 0 &&
                         n->critical_ns >= whole_ns / MARK_PART;
    }
}

static int walk_all(struct query_tree *t, uint32_t root,
                    const struct listener *l)
{
    struct children c = {0};
    int err = group(t, &c);
    struct frame *stack = calloc(t->item_count + 1, sizeof *stack);
    if (!err && !stack)
        err = -ENOMEM;
    if (!err)
        walk(t, &c, root, stack, l);
    free(stack);
    free(c.first);
    free(c.list);
    return err;
}

int query_tree_mark_critical(struct query_tree *t)
{
    uint32_t root = main_root(t);
    if (root == QUERY_NONE)
        return 0;
    int err = walk_all(t, root, NULL);
    if (!err)
        mark(t, t->items[root].end_ns - t->items[root].start_ns);
    return err;
}

int query_tree_critical_path(struct query_tree *t,
                             void (*each)(void *context, uint32_t item,
                                          int64_t from_ns, int64_t to_ns),
                             void *context)
{
    const struct listener l = {.each = each, .context = context};
    uint32_t root = main_root(t);
    return root == QUERY_NONE ? 0 : walk_all(t, root, &l);
}

/* ---- bars -------------------------------------------------------------- */

static void paint(const struct query_tree *t, const struct query_item *item,
                  struct query_cell *row, int cells)
{
    double whole = (double)(t->end_ns - t->start_ns);
    double cell_ns = whole > 0 ? whole / cells : 1;
    double from = (double)(item->start_ns - t->start_ns);
    double to = (double)(item->end_ns - t->start_ns);
    double ns = to > from ? to - from : 0;
    float cpu =
        item->cpu_ns < 0 || ns <= 0 ? 0 : (float)((double)item->cpu_ns / ns);
    int first = (int)(from / cell_ns), last = (int)(to / cell_ns);
    first = first < 0 ? 0 : first >= cells ? cells - 1 : first;
    last = last < first ? first : last >= cells ? cells - 1 : last;
    for (int i = first; i <= last; i++) {
        double low = i * cell_ns, high = low + cell_ns;
        double part = (to < high ? to : high) - (from > low ? from : low);
        if (part <= 0 && i != first)
            continue;
        float active = part > 0 ? (float)part : 0;
        row[i].is_touched = true;
        row[i].active_ns += active;
        row[i].cpu_ns += active * cpu;
        row[i].unknown_ns += item->cpu_ns < 0 ? active : 0;
    }
    if (item->queue_ns <= 0)
        return;
    int early = (int)((from - (double)item->queue_ns) / cell_ns);
    for (int i = early < 0 ? 0 : early; i < first; i++)
        row[i].queue_ns += (float)cell_ns;
}

void query_tree_bar(const struct query_tree *t, uint32_t node, int cells,
                    bool failed, struct query_cell *out)
{
    uint32_t i = t->nodes[node].example;
    for (int c = 0; c < cells; c++)
        out[c] = (struct query_cell){0};
    if (i != QUERY_NONE && (!failed || t->items[i].flags & QUERY_SPAN_ERROR))
        paint(t, &t->items[i], out, cells);
}

struct query_cell *query_tree_bars(const struct query_tree *t, int cells,
                                   bool failed)
{
    size_t count;
    if (cells <= 0 ||
        __builtin_mul_overflow(t->node_count, (size_t)cells, &count))
        return NULL;
    struct query_cell *bars = calloc(count + 1, sizeof *bars);
    for (size_t i = 0; bars && i < t->item_count; i++) {
        const struct query_item *item = &t->items[i];
        if (failed && !(item->flags & QUERY_SPAN_ERROR))
            continue;
        paint(t, item, bars + (size_t)item->node * (size_t)cells, cells);
    }
    return bars;
}
