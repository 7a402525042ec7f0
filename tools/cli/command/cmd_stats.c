/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan stats: the handlers of a trace in figures. Calls, errors, self and
 * max come from the rollups, which count what has no stored span as well;
 * totals of recursive handlers count outermost activations alone.
 */
#include "tools/cli/command/commands.h"
#include "tools/cli/rows/rows.h"
#include "tools/cli/screen/share.h"
#include "tools/cli/screen/slow.h"
#include "tools/cli/screen/stats.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SPARK_CELLS = 9
};

/* The range of the histogram column, so chosen that all times fit. */
struct spark_range {
    int64_t low_ns, high_ns;
    char title[24];
};

static struct spark_range choose_range(const struct stats *s, bool utf8)
{
    static const struct {
        int64_t ns;
        const char *text, *ascii;
    } lows[] = {{1000000, "1ms", "1ms"},
                {1000, "1\u00b5s", "1us"},
                {1, "1ns", "1ns"}},
      highs[] = {{1000, "1\u00b5s", "1us"},   {1000000, "1ms", "1ms"},
                 {1000000000, "1s", "1s"},    {60000000000, "1min", "1min"},
                 {3600000000000, "1h", "1h"}, {86400000000000, "1d", "1d"}};
    struct spark_range r;
    size_t low = 0, high = 0;
    while (low < 2 && s->min_ns < lows[low].ns)
        low++;
    while (high < 5 && s->max_ns > highs[high].ns)
        high++;
    while (high < 5 && highs[high].ns <= lows[low].ns)
        high++;
    r.low_ns = lows[low].ns;
    r.high_ns = highs[high].ns;
    snprintf(r.title, sizeof r.title, "%s..%s",
             utf8 ? lows[low].text : lows[low].ascii,
             utf8 ? highs[high].text : highs[high].ascii);
    return r;
}

static void put_spark(struct buf *b, const struct stats_row *row,
                      const struct spark_range *range,
                      const struct term_glyphs *g)
{
    int64_t cells[SPARK_CELLS] = {0}, most = 0;
    stats_cells(row, range->low_ns, range->high_ns, cells, SPARK_CELLS);
    for (int i = 0; i < SPARK_CELLS; i++)
        most = cells[i] > most ? cells[i] : most;
    for (int i = 0; i < SPARK_CELLS; i++) {
        int64_t height = most ? (cells[i] * 8 + most - 1) / most : 0;
        buf_text(b, g->spark[height]);
    }
}

static const struct term_column columns_head[] = {
    {.title = "HANDLER", .left = true, .shrinks = true},
    {.title = "CALLS"},
    {.title = "ERR"},
    {.title = "TOTAL"},
    {.title = "SELF"},
    {.title = "SHARE"},
    {.title = "CPU", .drop = 2},
    {.title = "P50"},
    {.title = "P95"},
    {.title = "MAX"},
    {.title = NULL, .left = true, .drop = 1},
};
enum {
    COLUMNS = sizeof columns_head / sizeof *columns_head
};

static void put_marked(struct term_table *table, int column, const char *mark,
                       struct format_text figure)
{
    char text[sizeof figure.text + 4];
    snprintf(text, sizeof text, "%s%s", mark, figure.text);
    term_table_cell(table, column, TERM_PLAIN, text);
}

static void add_row(struct term_table *table, const struct stats *s,
                    const struct stats_row *row,
                    const struct spark_range *range, const struct term *term)
{
    bool utf8 = term->utf8, rest = row->is_rest, loading = row->is_loading;
    int64_t one = row->calls > 1 ? 1 : -1; /* percentiles of one call: none */
    struct buf spark;
    const char *about = row->is_estimate ? "~" : "";
    const char *least = row->cpu_unknown == 0 || row->cpu_ns < 0 ? ""
                        : utf8                                   ? "\u2265"
                                                                 : ">=";
    buf_init(&spark, 256);
    term_table_cell(table, 0, rest || loading ? TERM_DIM : TERM_PLAIN,
                    row->name);
    term_table_cell(table, 1, TERM_PLAIN,
                    format_count(rest || loading ? -1 : row->calls).text);
    term_table_cell(table, 2, row->errors > 0 ? TERM_RED : TERM_PLAIN,
                    format_count(rest || loading ? -1 : row->errors).text);
    put_marked(table, 3, rest ? "" : about,
               format_duration(rest ? -1 : row->total_ns, utf8));
    put_marked(table, 4, about, format_duration(row->self_ns, utf8));
    put_marked(table, 5, about, format_share(row->self_ns, s->wall_ns));
    put_marked(table, 6, least, format_duration(row->cpu_ns, utf8));
    term_table_cell(table, 7, TERM_PLAIN,
                    format_duration(one < 0 ? -1 : row->p50_ns, utf8).text);
    term_table_cell(table, 8, TERM_PLAIN,
                    format_duration(one < 0 ? -1 : row->p95_ns, utf8).text);
    term_table_cell(table, 9, TERM_PLAIN,
                    format_duration(rest ? -1 : row->max_ns, utf8).text);
    if (!rest && !loading)
        put_spark(&spark, row, range, term->glyphs);
    term_table_cell(table, 10, TERM_PLAIN, buf_get(&spark));
    buf_free(&spark);
}

static int print_text(const struct view *v, const struct query_trace *t,
                      const struct stats *s)
{
    char id[9];
    struct term_column columns[COLUMNS];
    struct spark_range range = choose_range(s, v->term.utf8);
    struct term_line l;
    struct term_table table;
    memcpy(columns, columns_head, sizeof columns);
    columns[COLUMNS - 1].title = range.title;
    term_line_init(&l, &v->term);
    term_line_text(&l, TERM_BOLD, t->name ? t->name : "?", v->term.width / 2);
    term_line_printf(&l, TERM_PLAIN, " %s %s %s %s %lld thread%s",
                     view_short_id(t, id), v->term.glyphs->dot,
                     format_duration(s->wall_ns, v->term.utf8).text,
                     v->term.glyphs->dot, (long long)s->thread_count,
                     s->thread_count == 1 ? "" : "s");
    term_line_end(&l);
    term_line_free(&l);
    term_table_init(&table, columns, COLUMNS);
    for (size_t i = 0; i < s->count; i++)
        add_row(&table, s, &s->rows[i], &range, &v->term);
    int err = term_table_print(&table, &v->term);
    term_table_free(&table);
    term_wrap(&v->term, TERM_DIM,
              "Counts, totals, max exact; p50 and p95 from a log histogram, "
              "within 3%.",
              0);
    share_print(&v->term, t, &s->detail, s->span_count);
    slow_print(&v->term, &s->detail);
    slow_print_throws(&v->term, &s->detail);
    if (t->status && strcmp(t->status, "open") == 0)
        puts("Still running.");
    return err;
}

/* {"std::bad_alloc": 3}: thrown below it, caught or not. */
static int print(struct view *v, const struct query_trace *t)
{
    struct stats s;
    int err = stats_load(v, t, &s);
    if (!err) {
        err = v->json ? rows_stats(stdout, v->db, t, &s) : print_text(v, t, &s);
        stats_free(&s);
    }
    return err ? options_trouble("cannot read the trace: %s", strerror(-err))
               : EXIT_FINE;
}

int cmd_stats(int argc, char **argv)
{
    struct view v = VIEW_INIT;
    const struct option_spec specs[] = {VIEW_OPTIONS(v)};
    const struct options o = {
        .command = "handspan stats",
        .operands = "[TRACE]",
        .about = "The handlers of a trace by the time spent in them: self is "
                 "without what they\ncall, share is self of the trace's "
                 "duration, (no handler) what none covers,\n(loading) from the "
                 "exec until the first handler could run.",
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
        status = print(&v, &trace);
        query_trace_free(&trace);
    }
    view_close(&v);
    return status;
}
