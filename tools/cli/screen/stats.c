/* SPDX-License-Identifier: Apache-2.0 */
/* Figures by handler: see stats.h. */
#include "tools/cli/screen/stats.h"
#include "lane/format/histogram.h"
#include "tools/common/text/format.h"
#include "tools/query/tree.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One row per name: a handler in several sessions, or bound in several
 * objects, is one handler to a person. */
static struct stats_row *row_of(struct stats *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->rows[i].name, name) == 0)
            return &s->rows[i];
    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        void *grown = realloc(s->rows, cap * sizeof *s->rows);
        if (!grown)
            return NULL;
        s->rows = grown;
        s->cap = cap;
    }
    struct stats_row *r = &s->rows[s->count++];
    *r = (struct stats_row){.name = name};
    return r;
}

static int add_bucket(struct stats_row *r, int64_t middle_ns, int64_t count)
{
    size_t at = 0;
    while (at < r->bucket_count && r->buckets[at].middle_ns < middle_ns)
        at++;
    if (at < r->bucket_count && r->buckets[at].middle_ns == middle_ns) {
        r->buckets[at].count += count;
        return 0;
    }
    void *grown =
        realloc(r->buckets, (r->bucket_count + 1) * sizeof *r->buckets);
    if (!grown)
        return -ENOMEM;
    r->buckets = grown;
    memmove(r->buckets + at + 1, r->buckets + at,
            (r->bucket_count - at) * sizeof *r->buckets);
    r->buckets[at] = (struct stats_bucket){middle_ns, count};
    r->bucket_count++;
    return 0;
}

/* {"37":12,"38":1}: read leniently, what is no pair of numbers is skipped. */
static int add_histogram(struct stats_row *r, const char *text)
{
    int err = 0;
    while (text && (text = strchr(text, '"')) && !err) {
        char *end;
        long bucket = strtol(text + 1, &end, 10);
        if (end == text + 1 || end[0] != '"' || end[1] != ':')
            break;
        long long count = strtoll(end + 2, &end, 10);
        if (bucket >= 0 && bucket < LANE_HISTOGRAM_BUCKETS && count > 0)
            err = add_bucket(
                r, (int64_t)lane_histogram_middle((uint32_t)bucket), count);
        text = end;
    }
    return err;
}

static int64_t percentile(const struct stats_row *r, int percent)
{
    int64_t all = 0, seen = 0;
    for (size_t i = 0; i < r->bucket_count; i++)
        all += r->buckets[i].count;
    int64_t want = (all * percent + 99) / 100;
    for (size_t i = 0; i < r->bucket_count; i++) {
        seen += r->buckets[i].count;
        if (seen >= want)
            return r->buckets[i].middle_ns < r->max_ns ? r->buckets[i].middle_ns
                                                       : r->max_ns;
    }
    return -1;
}

/* What only the rollups know: self, the longest, the histogram, and the part
 * of calls whose span was not stored. */
static int add_rollups(struct stats *s)
{
    int err = 0;
    for (size_t i = 0; i < s->detail.rollup_count && !err; i++) {
        const struct query_rollup *u = &s->detail.rollups[i];
        const struct query_site *site =
            query_site_find(&s->detail, u->session, u->site);
        struct stats_row *r = row_of(s, site && site->name ? site->name : "?");
        if (!r)
            return -ENOMEM;
        r->calls += u->dropped_calls;
        r->errors += u->errors;
        r->total_ns += u->total_ns;
        r->self_ns += u->self_ns;
        r->cpu_ns += u->cpu_ns;
        r->dropped_calls += u->dropped_calls;
        r->slow_calls += u->slow_calls;
        r->untimed_calls += u->untimed_calls;
        r->loose_calls += u->loose_calls;
        r->is_estimate |= u->untimed_calls > 0 || u->loose_calls > 0;
        r->is_cpu_nested |= u->cpu_unknown < 0;
        r->cpu_unknown += u->cpu_unknown > 0 ? u->cpu_unknown : 0;
        r->is_cpu_known |= u->cpu_unknown >= 0 && u->cpu_ns > 0;
        s->dropped_top_ns += u->dropped_top_ns;
        s->top_cpu_ns += u->top_cpu_ns;
        s->is_top_known &= u->cpu_unknown >= 0;
        r->max_ns = u->max_ns > r->max_ns ? u->max_ns : r->max_ns;
        err = add_histogram(r, u->histogram);
    }
    return err;
}

/* Below an activation of the same handler that ended, and whose CPU time
 * therefore holds this one's? */
static bool is_below_ended(const struct query_tree *tree,
                           const struct query_item *item)
{
    for (uint32_t at = item->parent; at != QUERY_NONE;
         at = tree->items[at].parent)
        if (tree->items[at].node == item->node &&
            !(tree->items[at].flags & QUERY_SPAN_NO_END))
            return true;
    return false;
}

/* What is unfinished: its time without that of its children on the same
 * thread, as rollups have it of those that ended. */
static int64_t own_ns(const struct query_tree *tree, const int64_t *below,
                      size_t i)
{
    int64_t ns = tree->items[i].end_ns - tree->items[i].start_ns - below[i];
    return ns > 0 ? ns : 0;
}

int64_t *stats_below(const struct query_tree *tree)
{
    int64_t *below = calloc(tree->item_count + 1, sizeof *below);
    for (size_t i = 0; below && i < tree->item_count; i++) {
        const struct query_item *item = &tree->items[i];
        if (item->parent == QUERY_NONE)
            continue;
        const struct query_item *parent = &tree->items[item->parent];
        if (parent->session == item->session &&
            parent->ref >> 48 == item->ref >> 48 &&
            !query_tree_is_after(tree, (uint32_t)i, item->parent))
            below[item->parent] += item->end_ns - item->start_ns;
    }
    return below;
}

/* Each node's row, as index + 1: one look at a name for all its calls. Shape:
 * node_count. */
static size_t row_of_node(struct stats *s, const struct query_tree *tree,
                          uint32_t node, size_t *rows)
{
    if (!rows[node]) {
        struct stats_row *r = row_of(s, tree->nodes[node].name);
        rows[node] = r ? (size_t)(r - s->rows) + 1 : 0;
    }
    return rows[node];
}

/* What did not end is in no rollup, and takes its time until the trace's end.
 */
static void add_unended(struct stats_row *r, const struct query_tree *tree,
                        const int64_t *below, size_t i)
{
    const struct query_item *item = &tree->items[i];
    int64_t ns = item->end_ns - item->start_ns;
    bool nested = item->flags & QUERY_SPAN_NESTED;
    r->total_ns += nested ? 0 : ns;
    r->self_ns += own_ns(tree, below, i);
    r->max_ns = ns > r->max_ns ? ns : r->max_ns;
    r->cpu_unknown += !nested;
}

static bool has_unended(const struct query_tree *tree)
{
    for (size_t i = 0; i < tree->item_count; i++)
        if (tree->items[i].flags & QUERY_SPAN_NO_END)
            return true;
    return false;
}

/* Rollups hold what ended; of stores from before also the CPU time of nested
 * activations. */
static int add_items(struct stats *s, const struct query_tree *tree)
{
    size_t *rows = calloc(tree->node_count + 1, sizeof *rows);
    int64_t *below = has_unended(tree) ? stats_below(tree) : NULL;
    int err = rows && (below || !has_unended(tree)) ? 0 : -ENOMEM;
    for (size_t i = 0; i < tree->item_count && !err; i++) {
        const struct query_item *item = &tree->items[i];
        if (tree->nodes[item->node].kind != QUERY_NODE_HANDLER)
            continue;
        size_t row = row_of_node(s, tree, item->node, rows);
        if (!row) {
            err = -ENOMEM;
            break;
        }
        struct stats_row *r = &s->rows[row - 1];
        r->calls++;
        r->is_cpu_known |= item->cpu_ns >= 0;
        if (r->is_cpu_nested && item->flags & QUERY_SPAN_NESTED &&
            is_below_ended(tree, item))
            r->cpu_ns -= item->cpu_ns > 0 ? item->cpu_ns : 0;
        if (item->flags & QUERY_SPAN_NO_END)
            add_unended(r, tree, below, i);
    }
    free(rows);
    free(below);
    return err;
}

static int add_after(struct stats *s, const struct query_tree *tree)
{
    for (size_t i = 0; i < tree->node_count; i++) {
        const struct query_node *n = &tree->nodes[i];
        if (n->kind != QUERY_NODE_HANDLER || n->after_calls == 0)
            continue;
        struct stats_row *r = row_of(s, n->name);
        if (!r)
            return -ENOMEM;
        r->after_calls += n->after_calls;
        r->after_ns += n->after_ns;
        r->after = n->after;
    }
    return 0;
}

static int by_self(const void *a, const void *b)
{
    const struct stats_row *x = a, *y = b;
    if (x->self_ns != y->self_ns)
        return x->self_ns < y->self_ns ? 1 : -1;
    return strcmp(x->name, y->name);
}

/* Of all its processes; what exec'ed goes on in the one that it became, whose
 * CPU time holds its own. -1: of none known. */
static int64_t cpu_of_processes(const struct query_detail *d,
                                const struct query_trace *t)
{
    int64_t sum = -1;
    for (size_t i = 0; i < d->process_count; i++) {
        const struct query_process *p = &d->processes[i];
        bool goes_on =
            p->ended_by && strcmp(p->ended_by, "exec") == 0 && !p->lost;
        if (p->trace == t->trace && p->cpu_ns >= 0 && !goes_on)
            sum = (sum < 0 ? 0 : sum) + p->cpu_ns;
    }
    return sum;
}

/* Processes from their exec until a handler could run. */
static int add_loading(struct stats *s, const struct query_tree *tree)
{
    struct stats_row *r = NULL;
    for (size_t i = 0; i < tree->item_count; i++) {
        const struct query_item *item = &tree->items[i];
        if (!(item->flags & QUERY_SPAN_LOADING))
            continue;
        if (!r && !(r = row_of(s, "(loading)")))
            return -ENOMEM;
        int64_t ns = item->end_ns - item->start_ns;
        r->is_loading = true;
        r->calls++;
        r->total_ns += ns;
        r->self_ns += ns;
        r->cpu_ns += item->cpu_ns > 0 ? item->cpu_ns : 0;
        r->max_ns = ns > r->max_ns ? ns : r->max_ns;
        s->loading_cpu_ns = r->cpu_ns;
    }
    if (r)
        r->p50_ns = r->p95_ns = -1;
    return 0;
}

static struct stats_row *row_of_kind(struct stats *s,
                                     const struct query_node *n)
{
    return row_of(s, n->kind == QUERY_NODE_HANDLER   ? n->name
                     : n->kind == QUERY_NODE_LOADING ? "(loading)"
                                                     : "(no handler)");
}

/* A node's time on the critical path holds that of the nodes below it; what is
 * left is its own. The last rows are there already. */
static int add_critical(struct stats *s, const struct query_tree *tree)
{
    int64_t *own_ns = calloc(tree->node_count + 1, sizeof *own_ns);
    int err = own_ns ? 0 : -ENOMEM;
    for (size_t i = 0; i < tree->node_count && !err; i++) {
        const struct query_node *n = &tree->nodes[i];
        own_ns[i] += n->critical_ns;
        if (n->parent != QUERY_NONE)
            own_ns[n->parent] -= n->critical_ns;
    }
    for (size_t i = 0; i < tree->node_count && !err; i++) {
        struct stats_row *r =
            own_ns[i] > 0 ? row_of_kind(s, &tree->nodes[i]) : NULL;
        if (r)
            r->critical_ns += own_ns[i];
        else if (own_ns[i] > 0)
            err = -ENOMEM;
    }
    free(own_ns);
    return err;
}

/* What no handler covers of the trace's time. */
static int add_rest(struct stats *s, const struct query_trace *t,
                    const struct query_tree *tree)
{
    struct stats_row *r = row_of(s, "(no handler)");
    if (!r)
        return -ENOMEM;
    int64_t top_cpu_ns = s->is_top_known ? s->top_cpu_ns : tree->top_cpu_ns;
    int64_t cpu_ns = cpu_of_processes(&s->detail, t);
    int64_t threads = s->thread_count > 0 ? s->thread_count : 1;
    r->is_rest = true;
    if (cpu_ns < 0) /* a request's: of the process that serves it */
        cpu_ns = t->cpu_ns;
    top_cpu_ns += s->loading_cpu_ns;
    r->cpu_ns = cpu_ns < 0 ? -1 : cpu_ns > top_cpu_ns ? cpu_ns - top_cpu_ns : 0;
    /* of calls without a span it is known how long they took, not when: what
     * several threads did may be at once */
    r->is_estimate = s->dropped_top_ns > 0 && threads > 1;
    r->self_ns = s->wall_ns - tree->top_ns - tree->loading_ns -
                 s->dropped_top_ns / threads;
    r->self_ns = r->self_ns > 0 ? r->self_ns : 0;
    return 0;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Of the process's many threads those that worked for this trace. 0: none,
 * or no memory. */
static int64_t count_working(const struct query_tree *tree)
{
    uint64_t *lanes = calloc(tree->item_count + 1, sizeof *lanes);
    size_t n = 0;
    int64_t count = 0;
    for (size_t i = 0; lanes && i < tree->item_count; i++) {
        uint64_t lane = (uint64_t)tree->items[i].session << 32 |
                        LANE_REF_LANE((uint64_t)tree->items[i].ref);
        if (tree->items[i].ref > 0 && (n == 0 || lanes[n - 1] != lane))
            lanes[n++] = lane;
    }
    if (lanes)
        qsort(lanes, n, sizeof *lanes, by_number);
    for (size_t i = 0; i < n; i++)
        count += i == 0 || lanes[i] != lanes[i - 1];
    free(lanes);
    return count;
}

static int64_t count_threads(const struct query_detail *d,
                             const struct query_tree *tree)
{
    /* threads that wrote a span of this trace; lanes tell them apart */
    int64_t count = 0;
    for (size_t i = 0; i < d->thread_count; i++) {
        const struct query_thread *h = &d->threads[i];
        const struct query_process *p =
            query_process_find(d, h->session, h->process_idx);
        count += p != NULL;
    }
    return count ? count : tree->span_count > 0;
}

static void finish(struct stats *s)
{
    s->min_ns = INT64_MAX;
    for (size_t i = 0; i < s->count; i++) {
        struct stats_row *r = &s->rows[i];
        if (r->bucket_count && r->buckets[0].middle_ns < s->min_ns)
            s->min_ns = r->buckets[0].middle_ns;
        s->max_ns = r->max_ns > s->max_ns ? r->max_ns : s->max_ns;
        if (!r->is_cpu_known && r->cpu_ns == 0)
            r->cpu_ns = -1;
        /* an open caller's time is not there yet, what it called is */
        r->self_ns = r->self_ns > 0 ? r->self_ns : 0;
        r->total_ns = r->total_ns > r->self_ns ? r->total_ns : r->self_ns;
        r->p50_ns = percentile(r, 50);
        r->p95_ns = percentile(r, 95);
    }
    if (s->count > 0)
        qsort(s->rows, s->count, sizeof *s->rows, by_self);
}

int stats_load(struct view *v, const struct query_trace *t, struct stats *s)
{
    struct query_tree tree = {0};
    *s = (struct stats){.is_top_known = true};
    int err = query_detail_load(v->db, t->trace, &s->detail);
    if (!err)
        err = query_tree_load(v->db, t, &s->detail, format_now_ns(), false,
                              &tree);
    if (!err)
        err = add_rollups(s);
    if (!err)
        err = add_items(s, &tree);
    err = err ? err : add_after(s, &tree);
    if (!err) {
        s->wall_ns =
            t->duration_ns >= 0 ? t->duration_ns : tree.end_ns - tree.start_ns;
        s->span_count = tree.span_count;
        s->thread_count = t->root_ref > 0 ? count_working(&tree)
                                          : count_threads(&s->detail, &tree);
        finish(s);
        err = add_loading(s, &tree);
    }
    if (!err)
        err = add_rest(s, t, &tree);
    if (!err)
        err = add_critical(s, &tree);
    query_tree_free(&tree);
    if (err)
        stats_free(s);
    return err;
}

int64_t stats_dropped(const struct stats *s)
{
    int64_t sum = 0;
    for (size_t i = 0; i < s->count; i++)
        sum += s->rows[i].dropped_calls;
    return sum;
}

void stats_free(struct stats *s)
{
    for (size_t i = 0; s->rows && i < s->count; i++)
        free(s->rows[i].buckets);
    free(s->rows);
    query_detail_free(&s->detail);
    *s = (struct stats){0};
}

void stats_cells(const struct stats_row *row, int64_t low_ns, int64_t high_ns,
                 int64_t *cells, int count)
{
    double low = log((double)low_ns), high = log((double)high_ns);
    for (size_t i = 0; i < row->bucket_count; i++) {
        double ns =
            (double)(row->buckets[i].middle_ns > 0 ? row->buckets[i].middle_ns
                                                   : 1);
        int at = (int)((log(ns) - low) / (high - low) * count);
        at = at < 0 ? 0 : at >= count ? count - 1 : at;
        cells[at] += row->buckets[i].count;
    }
}
