/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan stats: the handlers of a trace in figures. Calls, errors, self and
 * max come from the rollups, which count what has no stored span as well;
 * totals of recursive handlers count outermost activations alone.
 */
#include "tools/cli/command/commands.h"
#include "tools/cli/group/group.h"
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
    SPARK_CELLS = 9,
    AFTER_SHOWN = 3,
    GROUPED_ROWS = 50,
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
    {.title = "CRIT", .drop = 3},
    {.title = "CPU", .drop = 2},
    {.title = "P50"},
    {.title = "P95"},
    {.title = "MAX"},
    {.title = NULL, .left = true, .drop = 1},
};
enum {
    COLUMN_PATH = 6,
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
    put_marked(table, 3,
               rest                   ? ""
               : row->after_calls > 0 ? "+"
                                      : about,
               format_duration(rest ? -1 : row->total_ns, utf8));
    put_marked(table, 4, about, format_duration(row->self_ns, utf8));
    put_marked(table, 5, about, format_share(row->self_ns, s->wall_ns));
    put_marked(table, COLUMN_PATH, stats_dropped(s) > 0 ? "~" : "",
               format_share(row->critical_ns, s->wall_ns));
    put_marked(table, 7, least, format_duration(row->cpu_ns, utf8));
    term_table_cell(table, 8, TERM_PLAIN,
                    format_duration(one < 0 ? -1 : row->p50_ns, utf8).text);
    term_table_cell(table, 9, TERM_PLAIN,
                    format_duration(one < 0 ? -1 : row->p95_ns, utf8).text);
    term_table_cell(table, 10, TERM_PLAIN,
                    format_duration(rest ? -1 : row->max_ns, utf8).text);
    if (!rest && !loading)
        put_spark(&spark, row, range, term->glyphs);
    term_table_cell(table, 11, TERM_PLAIN, buf_get(&spark));
    buf_free(&spark);
}

/* Why a handler's time may be more than that of the one above it. */
static void print_after(const struct term *term, const struct stats *s)
{
    int shown = 0;
    struct buf text;
    for (size_t i = 0; i < s->count && shown < AFTER_SHOWN; i++) {
        const struct stats_row *r = &s->rows[i];
        if (r->after_calls == 0)
            continue;
        shown++;
        buf_init(&text, 1024);
        buf_printf(&text,
                   "+ %.64s: %s call%s went on when %.64s had returned, for "
                   "%s.",
                   r->name, format_count(r->after_calls).text,
                   r->after_calls == 1 ? "" : "s", r->after,
                   format_duration(r->after_ns, term->utf8).text);
        term_wrap(term, TERM_CYAN, buf_get(&text), 2);
        buf_free(&text);
    }
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
    bool has_path = term_table_shows(&table, &v->term, COLUMN_PATH);
    int err = term_table_print(&table, &v->term);
    term_table_free(&table);
    term_wrap(&v->term, TERM_DIM,
              "Counts, totals, max exact; p50 and p95 from a log histogram, "
              "within 3%.",
              0);
    if (has_path && stats_dropped(s) > 0)
        term_wrap(&v->term, TERM_DIM,
                  "~CRIT: on the critical path calls without detail count as "
                  "their callers.",
                  2);
    print_after(&v->term, s);
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

/* ---- summed up by something else ----------------------------------------- */

struct grouped {
    struct view *view;
    struct group group;
};

static int add_trace(void *context, struct query_trace *t)
{
    struct grouped *g = context;
    int err = group_add(g->view, &g->group, t);
    query_trace_free(t);
    return err;
}

struct how {
    const char *by, *sort;
    bool all;
    int64_t limit;
};

static int print_grouped(struct view *v, const struct how *how, const char *one,
                         enum group_sort sort, struct group *asked)
{
    struct grouped g = {.view = v, .group = *asked};
    struct query_trace t = {0};
    int status = how->all ? 0 : view_choose(v, one, &t);
    int err = status ? 0 : group_begin(&g.group);
    if (!status && !err)
        err = how->all ? query_traces(v->db, &v->filter, add_trace, &g)
                       : add_trace(&g, &t);
    if (!status && !err) {
        group_finish(&g.group, sort);
        err = v->json ? group_print_json(v, &g.group)
                      : group_print(v, &g.group, (size_t)how->limit);
        status = g.group.traces ? EXIT_FINE : EXIT_FOUND;
    }
    group_free(&g.group);
    return err ? options_trouble("cannot read the store: %s",
                                 err == -EIO ? query_error(v->db)
                                             : strerror(-err))
               : status;
}

/* --by, --sort or --all: whether, and whether they mean something. */
static int check_how(const struct how *how, struct group *g,
                     enum group_sort *sort, int operands)
{
    *sort = GROUP_SELF;
    if (!group_parse(how->by ? how->by : "handler", g))
        return options_trouble("--by=%s: there are handler, path, thread, "
                               "process, day, hour, input.NAME, output.NAME "
                               "and attr.NAME",
                               how->by);
    if (how->sort && !group_parse_sort(how->sort, sort))
        return options_trouble("--sort=%s: there are %s", how->sort,
                               group_sorts());
    if (how->all && operands)
        return options_trouble("--all is of all traces that the filter "
                               "chooses: name none");
    return 0;
}

int cmd_stats(int argc, char **argv)
{
    struct view v = VIEW_INIT;
    struct how how = {.limit = GROUPED_ROWS};
    struct group group;
    enum group_sort sort;
    const struct option_spec specs[] = {
        VIEW_OPTIONS(v),
        {"by", 0, OPTION_TEXT, "WHAT",
         "sum up by handler, path, thread, process, day, hour, input.NAME, "
         "output.NAME or attr.NAME",
         &how.by},
        {"sort", 0, OPTION_TEXT, "COLUMN",
         "self, total, calls, errors, cpu, p50, p95, max, name", &how.sort},
        {"all", 0, OPTION_FLAG, NULL, "over all traces of the filter",
         &how.all},
        {"limit", 'n', OPTION_NUMBER, "N",
         "of --by, --sort, --all: at most N rows (50; 0: all)", &how.limit},
    };
    const struct options o = {
        .command = "handspan stats",
        .operands = "[TRACE]",
        .about = "The handlers of a trace by the time spent in them: self is "
                 "without what they\ncall, share is self of the trace's "
                 "duration, CRIT what of it would have been over\nsooner "
                 "without it (the critical path), (no handler) what none "
                 "covers, (loading)\nfrom the exec until the first handler "
                 "could run.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
        .operand_max = 1};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    int status = check_how(&how, &group, &sort, operands);
    if (!status)
        status = view_open(&v, false);
    struct query_trace trace = {0};
    const char *one = operands ? argv[0] : NULL;
    if (!status)
        view_page(&v);
    if (!status && (how.by || how.sort || how.all)) {
        status = print_grouped(&v, &how, one, sort, &group);
    } else if (!status && !(status = view_choose(&v, one, &trace))) {
        status = print(&v, &trace);
        query_trace_free(&trace);
    }
    view_close(&v);
    return status;
}
