/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of each run, by handler or by path; see compare.h. */
#include "tools/cli/compare/compare.h"
#include "tools/cli/screen/stats.h"
#include "tools/common/text/format.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct compare_row *row_of(struct compare *c, const char *name)
{
    for (size_t i = 0; i < c->row_count; i++)
        if (strcmp(c->row[i].name, name) == 0)
            return &c->row[i];
    if (c->row_count == c->row_cap) {
        size_t cap = c->row_cap ? c->row_cap * 2 : 32;
        void *grown = realloc(c->row, cap * sizeof *c->row);
        if (!grown)
            return NULL;
        c->row = grown;
        c->row_cap = cap;
    }
    struct compare_row r = {.name = strdup(name), .p = -1};
    for (int side = 0; side < COMPARE_SIDES; side++)
        r.run[side] = calloc(c->side[side].count, sizeof *r.run[side]);
    if (!r.name || !r.run[COMPARE_A] || !r.run[COMPARE_B]) {
        free(r.name);
        free(r.run[COMPARE_A]);
        free(r.run[COMPARE_B]);
        return NULL;
    }
    c->row[c->row_count] = r;
    return &c->row[c->row_count++];
}

/* Which run of which side is being read. */
struct at {
    struct compare *c;
    int side;
    size_t run;
};

static int note_declared(const struct at *at, const struct query_detail *d)
{
    for (size_t i = 0; i < d->site_count; i++) {
        const struct query_site *s = &d->sites[i];
        if (!s->name || !s->binding || strcmp(s->binding, "none") == 0)
            continue;
        struct compare_row *r = row_of(at->c, s->name);
        if (!r)
            return -ENOMEM;
        r->run[at->side][at->run].is_declared = true;
    }
    return 0;
}

/* ---- by handler ---------------------------------------------------------- */

static int take_stats(const struct at *at, const struct stats *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct stats_row *from = &s->rows[i];
        struct compare_row *r = row_of(at->c, from->name);
        if (!r)
            return -ENOMEM;
        r->is_rest = from->is_rest || from->is_loading;
        struct compare_figures *f = &r->run[at->side][at->run];
        bool is_cpu = from->cpu_ns >= 0 && from->cpu_unknown == 0;
        int64_t total_ns = from->is_rest ? from->self_ns : from->total_ns;
        int64_t wait_ns = total_ns - from->cpu_ns;
        *f = (struct compare_figures){
            .calls = r->is_rest ? -1 : from->calls,
            .errors = r->is_rest ? -1 : from->errors,
            .total_ns = total_ns,
            .self_ns = from->self_ns,
            .cpu_ns = is_cpu ? from->cpu_ns : -1,
            .wait_ns = !is_cpu || r->is_rest ? -1
                       : wait_ns > 0         ? wait_ns
                                             : 0,
            .max_ns = from->is_rest ? -1 : from->max_ns,
            .p50_ns = r->is_rest ? -1 : from->p50_ns,
            .p95_ns = r->is_rest ? -1 : from->p95_ns,
            .is_seen = from->calls > 0 || from->is_rest,
            .is_declared = f->is_declared,
        };
    }
    return 0;
}

static int load_handlers(struct view *v, const struct at *at,
                         const struct query_trace *t)
{
    struct stats s;
    int err = stats_load(v, t, &s);
    if (err)
        return err;
    at->c->side[at->side].wall_ns[at->run] = s.wall_ns;
    err = note_declared(at, &s.detail);
    if (!err)
        err = take_stats(at, &s);
    if (!err)
        err = compare_objects(at->c, at->side, &s.detail);
    stats_free(&s);
    return err;
}

/* ---- by path ------------------------------------------------------------- */

/* "run > extract": handlers alone, so that the same work below another pid or
 * program name is the same path. */
static void put_path(const struct query_tree *tree, uint32_t node,
                     struct buf *out)
{
    uint32_t chain[256];
    int n = 0;
    for (uint32_t i = node; i != QUERY_NONE && n < 256;
         i = tree->nodes[i].parent)
        if (tree->nodes[i].kind == QUERY_NODE_HANDLER)
            chain[n++] = i;
    while (n-- > 0)
        buf_printf(out, "%s%s", out->len_bytes ? " > " : "",
                   tree->nodes[chain[n]].name);
}

static int by_ns(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static int64_t rank_of(const int64_t *sorted, size_t count, size_t percent)
{
    return count < 2 ? -1 : sorted[(count * percent + 99) / 100 - 1];
}

/* The items of a tree by node: those of node n are item[first[n]] to
 * item[first[n + 1]]. */
struct by_node {
    uint32_t *first, *item;
    int64_t *below, *ns;
};

static void by_node_free(struct by_node *b)
{
    free(b->first);
    free(b->item);
    free(b->below);
    free(b->ns);
}

static int by_node_make(const struct query_tree *tree, struct by_node *b)
{
    *b = (struct by_node){.first =
                              calloc(tree->node_count + 2, sizeof *b->first),
                          .item = calloc(tree->item_count + 1, sizeof *b->item),
                          .below = stats_below(tree),
                          .ns = calloc(tree->item_count + 1, sizeof *b->ns)};
    if (!b->first || !b->item || !b->below || !b->ns)
        return -ENOMEM;
    for (size_t i = 0; i < tree->item_count; i++)
        b->first[tree->items[i].node + 2]++;
    for (size_t n = 2; n < tree->node_count + 2; n++)
        b->first[n] += b->first[n - 1];
    for (uint32_t i = 0; i < tree->item_count; i++)
        b->item[b->first[tree->items[i].node + 1]++] = i;
    return 0;
}

static void take_node(const struct query_tree *tree, const struct by_node *b,
                      uint32_t node, struct compare_figures *f)
{
    const struct query_node *n = &tree->nodes[node];
    size_t count = b->first[node + 1] - b->first[node];
    int64_t self_ns = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t at = b->item[b->first[node] + i];
        b->ns[i] = tree->items[at].end_ns - tree->items[at].start_ns;
        int64_t own = b->ns[i] - b->below[at];
        self_ns += own > 0 ? own : 0;
    }
    qsort(b->ns, count, sizeof *b->ns, by_ns);
    /* several nodes may have one path: below two processes */
    f->calls += n->calls;
    f->errors += n->errors;
    f->total_ns += n->total_ns;
    f->self_ns += self_ns;
    f->cpu_ns = n->cpu_ns < 0 || f->cpu_ns < 0 ? -1 : f->cpu_ns + n->cpu_ns;
    f->wait_ns = f->cpu_ns < 0 ? -1 : f->total_ns - f->cpu_ns;
    f->wait_ns = f->cpu_ns >= 0 && f->wait_ns < 0 ? 0 : f->wait_ns;
    f->max_ns = n->max_ns > f->max_ns ? n->max_ns : f->max_ns;
    f->p50_ns = f->is_seen ? -1 : rank_of(b->ns, count, 50);
    f->p95_ns = f->is_seen ? -1 : rank_of(b->ns, count, 95);
    f->is_seen = f->is_declared = true;
}

static int take_tree(const struct at *at, const struct query_tree *tree)
{
    struct by_node b;
    int err = by_node_make(tree, &b);
    for (uint32_t i = 0; i < tree->node_count && !err; i++) {
        if (tree->nodes[i].kind != QUERY_NODE_HANDLER)
            continue;
        struct buf path;
        buf_init(&path, 1 << 16);
        put_path(tree, i, &path);
        struct compare_row *r = row_of(at->c, buf_get(&path));
        if (r)
            take_node(tree, &b, i, &r->run[at->side][at->run]);
        else
            err = -ENOMEM;
        buf_free(&path);
    }
    by_node_free(&b);
    return err;
}

static int load_paths(struct view *v, const struct at *at,
                      const struct query_trace *t)
{
    struct query_detail d = {0};
    struct query_tree tree = {0};
    int err = query_detail_load(v->db, t->trace, &d);
    if (!err)
        err = query_tree_load(v->db, t, &d, format_now_ns(), false, &tree);
    if (!err) {
        at->c->side[at->side].wall_ns[at->run] =
            t->duration_ns >= 0 ? t->duration_ns : tree.end_ns - tree.start_ns;
        err = take_tree(at, &tree);
    }
    if (!err)
        err = compare_objects(at->c, at->side, &d);
    query_tree_free(&tree);
    query_detail_free(&d);
    return err;
}

int compare_load(struct view *v, struct compare *c)
{
    int err = 0;
    for (int side = 0; side < COMPARE_SIDES && !err; side++) {
        struct compare_side *s = &c->side[side];
        s->wall_ns = calloc(s->count + 1, sizeof *s->wall_ns);
        err = s->wall_ns ? 0 : -ENOMEM;
        for (size_t i = 0; i < s->count && !err; i++) {
            struct at at = {c, side, i};
            err = c->is_by_path ? load_paths(v, &at, &s->trace[i])
                                : load_handlers(v, &at, &s->trace[i]);
            if (!err)
                err = compare_failures(v, c, side, i);
        }
    }
    return err;
}
