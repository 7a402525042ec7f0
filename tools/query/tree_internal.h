/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that build a tree: tree.c, tree_link.c, tree_loading.c,
 * tree_totals.c, critical.c. */
#pragma once
#include "tools/query/tree.h"

/*
 * Mark the nodes on the critical path: those whose spans, with what they call,
 * make up at least a tenth of it. 0 or -ENOMEM.
 */
int query_tree_mark_critical(struct query_tree *t);

/* While a tree is built. */
struct tree_loader {
    struct query_tree *tree;
    const struct query_trace *trace;
    const char **names;   /* of items */
    const char **reasons; /* error JSON copied, of items; mostly NULL */
    int64_t *parent_refs;
    struct query_reason orphans[QUERY_REASONS];
    int64_t now_ns;
    size_t loading_count; /* items "(loading)" that were added */
};
/* Find the parent of each item, over sessions as well; take out processes that
 * were nothing but the first moments of what they exec'ed. 0 or -ENOMEM. */
int query_tree_link(struct tree_loader *l) __attribute__((warn_unused_result));
/* Room for one more item. 0, -ENOMEM or -E2BIG. */
int query_tree_grow(struct tree_loader *l) __attribute__((warn_unused_result));
/* An item for the loading of each process among the items, which are all that
 * there is so far; and at the end the time of them in which no handler was
 * open. 0 or -errno. */
int query_tree_add_loading(struct tree_loader *l)
    __attribute__((warn_unused_result));
int query_tree_sum_loading(struct tree_loader *l)
    __attribute__((warn_unused_result));
/* An item without parent that is right to have none? */
bool query_tree_is_root(const struct tree_loader *l, size_t item);
/* tree_totals.c: sum up the items of each node, whose reasons the nodes take
 * over from l->orphans; put siblings in the order of their first start. Every
 * item has its node by now. */
void query_tree_total(struct tree_loader *l);
