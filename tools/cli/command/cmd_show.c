/* SPDX-License-Identifier: Apache-2.0 */
/* handspan show: one trace as a waterfall, and what is missing from it. */
#include "tools/cli/command/commands.h"
#include "tools/cli/check/completeness.h"
#include "tools/cli/rows/rows.h"
#include "tools/cli/screen/ends.h"
#include "tools/cli/screen/view.h"
#include "tools/cli/screen/waterfall.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include <errno.h>
#include <string.h>

static void print_head(const struct view *v, const struct query_trace *t,
                       const struct query_tree *tree)
{
    const struct term_glyphs *g = v->term.glyphs;
    struct view_outcome outcome = view_outcome(t);
    char id[9];
    struct term_line l;
    term_line_init(&l, &v->term);
    term_line_text(&l, TERM_BOLD, t->name ? t->name : "?", v->term.width / 3);
    term_line_printf(&l, TERM_PLAIN, "  %s  %s  %s  ", view_short_id(t, id),
                     format_time(t->start_unix_ns).text,
                     format_duration(t->duration_ns >= 0
                                         ? t->duration_ns
                                         : tree->end_ns - tree->start_ns,
                                     v->term.utf8)
                         .text);
    term_line_text(&l, outcome.style, outcome.text, -1);
    term_line_end(&l);
    if (t->service)
        term_line_printf(&l, TERM_PLAIN, "%s ", t->service);
    if (t->pid >= 0)
        term_line_printf(&l, TERM_PLAIN, "pid %lld ", (long long)t->pid);
    if (t->peak_bytes > 0)
        term_line_printf(&l, TERM_PLAIN, "peak %s%s ",
                         t->peak_is_lower_bound ? "over " : "",
                         format_bytes(t->peak_bytes).text);
    term_line_printf(&l, TERM_DIM, " ");
    term_line_glyph(&l, TERM_PLAIN, g->cpu, 1);
    term_line_printf(&l, TERM_DIM, " cpu  ");
    term_line_glyph(&l, TERM_PLAIN, g->wait, 1);
    term_line_printf(&l, TERM_DIM, " waiting  ");
    term_line_glyph(&l, TERM_PLAIN, waterfall_sparse(&v->term), 1);
    term_line_printf(&l, TERM_DIM, " <1/8  ");
    if (waterfall_has_queue(tree)) {
        term_line_glyph(&l, TERM_PLAIN, g->queue, 1);
        term_line_printf(&l, TERM_DIM, " queued  ");
    }
    if (waterfall_has_unknown(tree)) {
        term_line_glyph(&l, TERM_PLAIN, g->unknown, 1);
        term_line_printf(&l, TERM_DIM, " cpu unknown  ");
    }
    term_line_glyph(&l, TERM_YELLOW, "*", 1);
    term_line_printf(&l, TERM_DIM, " critical path");
    term_line_end(&l);
    term_line_free(&l);
}

/* ---- command ----------------------------------------------------------- */

struct show {
    bool spans, orphans;
};

static int print(struct view *v, const struct query_trace *t,
                 const struct show *how)
{
    struct query_detail d = {0};
    struct query_tree tree = {0};
    int err = query_detail_load(v->db, t->trace, &d);
    if (!err)
        err = query_tree_load(v->db, t, &d, format_now_ns(), how->spans, &tree);
    if (!err && v->json) {
        err = rows_tree(stdout, t, &d, &tree);
    } else if (!err) {
        print_head(v, t, &tree);
        err = waterfall_print(&tree, &v->term, how->orphans);
        if (tree.outside_count > 0)
            printf("%lld process%s from a span that is not in this store "
                   "(TRACEPARENT).\n",
                   (long long)tree.outside_count,
                   tree.outside_count == 1 ? " hangs" : "es hang");
        ends_print(&v->term, t, &d);
        completeness_print(&v->term, t, &d, tree.span_count);
    }
    query_tree_free(&tree);
    query_detail_free(&d);
    return err ? options_trouble("cannot read the trace: %s", strerror(-err))
               : EXIT_FINE;
}

int cmd_show(int argc, char **argv)
{
    struct view v = VIEW_INIT;
    struct show how = {0};
    const struct option_spec specs[] = {
        {"spans", 0, OPTION_FLAG, NULL, "each call on a line of its own",
         &how.spans},
        {"orphans", 0, OPTION_FLAG, NULL, "the calls without known parent",
         &how.orphans},
        VIEW_OPTIONS(v),
    };
    const struct options o = {
        .command = "handspan show",
        .operands = "[TRACE]",
        .about = "A trace as a waterfall: calls aggregated by their path, "
                 "over the time axis; what\nfailed stands in place. Without "
                 "TRACE the latest one.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
        .operand_max = 1};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    int status = view_open(&v, false);
    struct query_trace trace = {0};
    if (!status)
        status = view_choose(&v, operands ? argv[0] : NULL, &trace);
    if (!status) {
        view_page(&v);
        status = print(&v, &trace, &how);
        query_trace_free(&trace);
    }
    view_close(&v);
    return status;
}
