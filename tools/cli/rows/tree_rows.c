/* SPDX-License-Identifier: Apache-2.0 */
/* A trace and the rows of its waterfall as `show --json` tells them. */
#include "tools/cli/check/completeness.h"
#include "tools/cli/rows/rows.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"

static struct cJSON *path_of(const struct query_tree *tree, uint32_t node)
{
    const struct query_node *path[256];
    size_t depth = 0;
    struct cJSON *array = json_array();
    for (; node != QUERY_NONE && depth < 256; node = tree->nodes[node].parent)
        path[depth++] = &tree->nodes[node];
    while (depth > 0)
        json_append_text(array, path[--depth]->name);
    return array;
}

static int print_node(FILE *out, const struct query_tree *tree, uint32_t at)
{
    static const char *const kinds[] = {"process", "handler", "loading",
                                        "orphans"};
    const struct query_node *n = &tree->nodes[at];
    struct cJSON *o = json_object(), *reasons = json_array();
    json_text(o, "kind", kinds[n->kind]);
    json_object_add(o, "path", path_of(tree, at));
    json_text(o, "name", n->name);
    json_int(o, "calls", n->calls);
    json_int(o, "errors", n->errors);
    json_int(o, "unfinished", n->unfinished);
    json_int(o, "open", n->open);
    json_int(o, "total_ns", n->total_ns);
    json_count(o, "cpu_ns", n->cpu_ns);
    json_int(o, "max_ns", n->max_ns);
    json_count(o, "first_start_unix_ns",
               n->first_start_ns == INT64_MAX ? -1 : n->first_start_ns);
    json_int(o, "after_calls", n->after_calls);
    json_int(o, "after_ns", n->after_ns);
    json_text(o, "after", n->after);
    json_int(o, "critical_ns", n->critical_ns);
    json_bool(o, "is_critical", n->is_critical);
    json_bool(o, "is_recursive", n->is_recursive);
    for (int i = 0; i < QUERY_REASONS && n->reasons[i].text; i++) {
        struct cJSON *r = json_object();
        json_text(r, "text", n->reasons[i].text);
        json_int(r, "count", n->reasons[i].count);
        json_append(reasons, r);
    }
    json_object_add(o, "reasons", reasons);
    return json_print(out, o);
}

int rows_tree(FILE *out, const struct query_trace *t,
              const struct query_detail *d, const struct query_tree *tree)
{
    struct cJSON *o = json_object();
    json_print_schema(out);
    json_text(o, "kind", "trace");
    json_text(o, "trace_id", t->hex);
    json_text(o, "name", t->name);
    json_text(o, "started_at", format_rfc3339(t->start_unix_ns).text);
    json_int(o, "start_unix_ns", t->start_unix_ns);
    json_count(o, "duration_ns", t->duration_ns);
    json_text(o, "status", t->status);
    json_count(o, "pid", t->pid);
    json_count(o, "exit_code", t->exit_code);
    json_count(o, "signal", t->signal);
    json_count(o, "cpu_ns", t->cpu_ns);
    json_count(o, "peak_bytes", t->peak_bytes);
    completeness_json(o, t, d, tree->span_count);
    int err = json_print(out, o);
    uint32_t at = tree->first_root;
    while (at != QUERY_NONE && !err) {
        err = print_node(out, tree, at);
        if (tree->nodes[at].first_child != QUERY_NONE) {
            at = tree->nodes[at].first_child;
            continue;
        }
        while (at != QUERY_NONE && tree->nodes[at].next == QUERY_NONE)
            at = tree->nodes[at].parent;
        at = at == QUERY_NONE ? at : tree->nodes[at].next;
    }
    return err;
}
