/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that build a tree: tree.c, tree_items.c, tree_names.c,
 * tree_texts.c, tree_link.c, tree_loading.c, tree_totals.c, critical.c. */
#pragma once
#include "tools/query/tree.h"

/*
 * Mark the nodes on the critical path: those whose spans, with what they call,
 * make up at least a tenth of it. 0 or -ENOMEM.
 */
int query_tree_mark_critical(struct query_tree *t);

/* Names, each text once: equal names are one pointer. */
struct tree_names {
    const char **slots; /* a hash */
    size_t slot_count, count;
    const char **of_site; /* of detail->sites, NULL: not looked up yet */
    size_t last_site;     /* index into detail->sites */
};
/* Texts of items (errors; why they are orphans), each distinct one once. */
struct tree_text {
    int64_t number; /* in the store, 0: none */
    uint64_t hash;  /* of the number, or of the text */
    char *text;     /* NULL: it is gone */
    char *line;     /* of an error, for people; NULL: not made yet */
};
struct tree_texts {
    struct tree_text *list;
    uint32_t *slots; /* a hash: index + 1 */
    struct {
        uint32_t item, text;
    } * of; /* which item has which; ascending */
    size_t count, cap, slot_count, of_count, of_cap;
};

/* While a tree is built. */
struct tree_loader {
    struct query_tree *tree;
    const struct query_trace *trace;
    struct query_db *db;
    const char **names; /* of items; equal ones are one pointer */
    int64_t *parent_refs;
    struct tree_names names_once;
    struct tree_texts errors, orphan_texts;
    struct query_reason orphans[QUERY_REASONS];
    int64_t now_ns, last_session;
    uint32_t last_index;              /* of last_session, in detail->sessions */
    size_t process_count, first_span; /* items */
    size_t loading_count;             /* items "(loading)" that were added */
};
/* Items of processes; then, after those of loading, of spans in order of start.
 * 0 or -errno. */
int query_tree_add_processes(struct tree_loader *l)
    __attribute__((warn_unused_result));
int query_tree_add_spans(struct query_db *db, struct tree_loader *l)
    __attribute__((warn_unused_result));
/* The item of a process, by the reference of its own span; QUERY_NONE. (They
 * are the first items, in order of session and reference.) */
uint32_t query_tree_process_item(const struct tree_loader *l, uint32_t session,
                                 int64_t ref);
/* The one pointer of a name; of a site's. NULL: no memory. `name` must live
 * as long as the tree. */
const char *query_tree_name(struct tree_names *n, const char *name);
const char *query_tree_site_name(struct tree_names *n,
                                 const struct query_detail *d, int64_t session,
                                 int64_t site);
void query_tree_names_free(struct tree_names *n);
/* The text of an item, which has none yet; `number` is that of a text of the
 * store, 0: it is `text`. 0 or -ENOMEM. */
int query_tree_texts_add(struct tree_texts *t, struct query_db *db,
                         uint32_t item, int64_t number, const char *text)
    __attribute__((warn_unused_result));
/* Items have moved: `to` tells where each went. */
void query_tree_texts_moved(struct tree_texts *t, const uint32_t *to);
/* The line of the n-th item that has an error, made once for equal ones. NULL:
 * the error is gone, or no memory. */
const char *query_tree_texts_line(struct tree_texts *t, size_t n);
void query_tree_texts_free(struct tree_texts *t);
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
