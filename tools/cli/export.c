/* SPDX-License-Identifier: Apache-2.0 */
/* See export.h. One pass over the spans; nothing is kept but for "folded",
 * which needs the tree. */
#include "tools/cli/export.h"
#include "tools/common/format.h"
#include "tools/common/text.h"
#include "tools/query/tree.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct table {
    const struct query_trace *trace;
    const struct query_detail *detail;
    FILE *out;
};
struct row {
    const char *name, *object, *thread;
    int64_t pid, tid;
};

static struct row row_of(const struct query_detail *d,
                         const struct query_span *s)
{
    const struct query_site *i = query_site_find(d, s->session, s->site);
    const struct query_process *p =
        query_process_find(d, s->session, s->process_idx);
    const struct query_thread *t =
        query_thread_find(d, s->session, s->ref, s->generation);
    return (struct row){.name = i && i->name ? i->name : "?",
                        .object = i && i->object ? i->object : "",
                        .thread = t && t->name ? t->name : "",
                        .pid = p ? p->pid : -1,
                        .tid = t ? t->tid : -1};
}

/* ---- CSV (RFC 4180) ------------------------------------------------------ */

static void cell(FILE *out, const char *name)
{
    const unsigned char *at = (const unsigned char *)name;
    while (*at >= 0x20 && *at < 0x7f)
        at++;
    struct text_shown shown; /* a row is a line, also for who splits at lines */
    const char *text = name;
    if (*at) {
        shown = text_shown(name);
        text = shown.text;
    }
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void cell_number(FILE *out, int64_t n)
{
    fputc(',', out);
    if (n >= 0)
        fprintf(out, "%" PRId64, n);
}

static int put_csv(void *context, const struct query_span *s)
{
    struct table *t = context;
    struct row r = row_of(t->detail, s);
    fprintf(t->out, "%s,%016" PRIx64 ",", t->trace->hex,
            query_span_id(t->detail, s->session, s->ref));
    uint64_t parent = query_span_id(t->detail, s->session, s->parent_ref);
    if (parent)
        fprintf(t->out, "%016" PRIx64, parent);
    fputc(',', t->out);
    cell(t->out, r.name);
    fputc(',', t->out);
    cell(t->out, r.thread);
    cell_number(t->out, r.pid);
    cell_number(t->out, r.tid);
    cell_number(t->out, s->start_unix_ns);
    cell_number(t->out, s->duration_ns);
    cell_number(t->out, s->self_ns);
    cell_number(t->out, s->cpu_ns);
    fprintf(t->out, ",%s,%s\r\n", s->status ? s->status : "",
            s->ended_by ? s->ended_by : "");
    return ferror(t->out) ? -EIO : 0;
}

/* ---- folded stacks: names from the root, self time in nanoseconds -------- */

static void put_path(const struct query_tree *tree, uint32_t node, FILE *out)
{
    const struct query_node *n = &tree->nodes[node];
    if (n->parent != QUERY_NONE) {
        put_path(tree, n->parent, out);
        fputc(';', out);
    }
    struct text_shown shown = text_shown(n->name ? n->name : "?");
    for (const char *c = shown.text; *c; c++)
        fputc(*c == ';' ? ':' : *c, out);
}

/* By node: what its calls took without their children on the same thread. */
static int64_t *sum_self(const struct query_tree *tree)
{
    int64_t *self = calloc(tree->node_count + 1, sizeof *self);
    for (size_t i = 0; self && i < tree->item_count; i++) {
        const struct query_item *item = &tree->items[i];
        int64_t ns = item->end_ns - item->start_ns;
        self[item->node] += ns;
        if (item->parent == QUERY_NONE)
            continue;
        const struct query_item *parent = &tree->items[item->parent];
        bool is_process = parent->ref < 0; /* its time is its threads' */
        if (parent->session == item->session &&
            (is_process || parent->ref >> 48 == item->ref >> 48))
            self[parent->node] -= ns;
    }
    return self;
}

static int export_folded(struct view *v, struct table *t)
{
    struct query_tree tree = {0};
    int err = query_tree_load(v->db, t->trace, t->detail, format_now_ns(),
                              false, &tree);
    int64_t *self = err ? NULL : sum_self(&tree);
    if (!err && !self)
        err = -ENOMEM;
    for (size_t i = 0; !err && i < tree.node_count; i++) {
        if (self[i] <= 0)
            continue;
        put_path(&tree, (uint32_t)i, t->out);
        fprintf(t->out, " %" PRId64 "\n", self[i]);
    }
    free(self);
    query_tree_free(&tree);
    return err;
}

int export_table(struct view *v, const struct query_trace *trace,
                 const struct query_detail *detail, const char *format,
                 FILE *out)
{
    struct table t = {.trace = trace, .detail = detail, .out = out};
    if (strcmp(format, "chrome") == 0)
        return export_chrome(v, trace, detail, out);
    if (strcmp(format, "folded") == 0)
        return export_folded(v, &t);
    fputs("trace_id,span_id,parent_span_id,name,thread,pid,tid,start_unix_ns,"
          "duration_ns,self_ns,cpu_ns,status,ended_by\r\n",
          out);
    return query_spans(v->db, trace->trace, false, put_csv, &t);
}
