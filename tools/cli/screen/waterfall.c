/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The waterfall in the terminal. A line is: mark, tree and name, calls, time,
 * bar. The left part is as wide as its content asks for, within limits; the
 * bar takes the rest, and is left out where less than 16 columns are left.
 */
#include "tools/cli/screen/waterfall.h"
#include "tools/common/text/apart.h"
#include "tools/common/text/format.h"
#include "tools/common/text/text.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MARK_COLUMNS = 2,
    LEFT_MIN = 40,
    BAR_MIN = 16,
    DEPTH_MAX = 64, /* deeper ones are drawn at this depth */
};

static const char how_to_see[] = " (show --orphans)";

struct waterfall {
    const struct query_tree *tree;
    const struct term *term;
    bool orphans;
    int name_end, count_end, time_end, bar_start, bar_cells;
    struct query_cell *bars, *failed;
    int *how; /* each node's name is cut; NULL: no memory */
    struct term_line line;
    bool more[DEPTH_MAX + 1]; /* further siblings at this depth? */
};

const char *waterfall_sparse(const struct term *term)
{
    return term->utf8 ? "\u2581" : ",";
}

bool waterfall_has_queue(const struct query_tree *tree)
{
    for (size_t i = 0; i < tree->node_count; i++)
        if (tree->nodes[i].queue_ns > 0)
            return true;
    return false;
}

bool waterfall_has_unknown(const struct query_tree *tree)
{
    for (size_t i = 0; i < tree->node_count; i++)
        if (tree->nodes[i].cpu_ns < 0 && tree->nodes[i].total_ns > 0 &&
            tree->nodes[i].kind != QUERY_NODE_ORPHANS)
            return true;
    return false;
}

/* ---- layout ------------------------------------------------------------ */

static void lay_out(struct waterfall *w)
{
    const struct query_tree *t = w->tree;
    int name = 12, count = 0, time = 5;
    bool utf8 = w->term->utf8;
    for (size_t i = 0; i < t->node_count; i++) {
        const struct query_node *n = &t->nodes[i];
        int columns = text_columns(n->name, utf8) + 2 * (int)n->depth;
        name = columns > name ? columns : name;
        if (n->calls > 1) {
            columns = (int)strlen(format_count(n->calls).text) + 2;
            count = columns > count ? columns : count;
        }
        columns = text_columns(format_duration(n->total_ns, utf8).text, utf8);
        time = columns > time ? columns : time;
    }
    int right = (count ? count + 1 : 0) + time + 1 + 2;
    int want = MARK_COLUMNS + name + 1 + right;
    int most = w->term->width * 3 / 5;
    bool is_cut = w->term->is_narrow && want > most;
    w->bar_start = want < LEFT_MIN ? LEFT_MIN : is_cut ? most : want;
    w->bar_cells = w->term->width -
                   (w->term->is_narrow || want < most ? w->bar_start : most);
    if (w->bar_cells < BAR_MIN) {
        w->bar_cells = 0;
        w->bar_start = w->term->width + 2;
    }
    w->time_end = w->bar_start - 2;
    w->count_end = w->time_end - time - 1;
    w->name_end = w->count_end - (count ? count + 1 : 0);
}

/* Names of one tree are told apart where the least room is. */
static void cut_names(struct waterfall *w)
{
    const struct query_tree *t = w->tree;
    const char **names = calloc(t->node_count + 1, sizeof *names);
    int least = w->name_end;
    w->how = malloc((t->node_count + 1) * sizeof *w->how);
    for (size_t i = 0; names && i < t->node_count; i++) {
        const struct query_node *n = &t->nodes[i];
        uint32_t depth = n->depth > DEPTH_MAX ? DEPTH_MAX : n->depth;
        int room = w->name_end - MARK_COLUMNS - 2 * (int)depth - 2;
        names[i] = n->name;
        if (text_columns(n->name, w->term->utf8) > room)
            least = room < least ? room : least;
    }
    if (names && w->how)
        apart_find(names, t->node_count, least > 4 ? least : 4, w->term->utf8,
                   w->how);
    else
        free(w->how), w->how = NULL;
    free(names);
}

/* A step of 1, 2 or 5 times a power of ten, in units that clocks use. */
static int64_t nice_step(int64_t whole_ns, int ticks)
{
    static const int64_t large[] = {2,    5,     10,    15,    30,   60,
                                    120,  300,   600,   900,   1800, 3600,
                                    7200, 10800, 21600, 43200, 86400};
    int64_t least = whole_ns / ticks;
    for (int64_t step = 1; step <= 1000000000; step *= 10)
        for (int m = 1; m <= 5; m = m == 1 ? 2 : m * 5 / 2)
            if (step * m >= least && step * m <= 1000000000)
                return step * m;
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        if (large[i] * 1000000000 >= least)
            return large[i] * 1000000000;
    return (least / 86400000000000 + 1) * 86400000000000;
}

/* Labels of exact multiples: 5m, 1h, 0.5s never needs rounding. */
static void tick_label(char *out, size_t cap, int64_t ns, bool utf8)
{
    static const struct {
        int64_t ns;
        const char *name;
    } units[] = {{86400000000000, "d"},
                 {3600000000000, "h"},
                 {60000000000, "m"},
                 {1000000000, "s"},
                 {1000000, "ms"},
                 {1000, "us"},
                 {1, "ns"}};
    size_t i = 0;
    while (i < 6 && ns < units[i].ns)
        i++;
    while (i < 6 && i != 3 && ns % units[i].ns && ns % (units[i].ns / 10))
        i++;
    const char *name = i == 5 && utf8 ? "\u00b5s" : units[i].name;
    if (ns == 0)
        snprintf(out, cap, "0");
    else if (ns % units[i].ns == 0)
        snprintf(out, cap, "%lld%s", (long long)(ns / units[i].ns), name);
    else
        snprintf(out, cap, "%.4g%s", (double)ns / (double)units[i].ns, name);
}

static void print_axis(struct waterfall *w)
{
    int64_t whole = w->tree->end_ns - w->tree->start_ns;
    struct term_line *l = &w->line;
    if (w->bar_cells == 0)
        return;
    int64_t step = nice_step(whole > 0 ? whole : 1, w->bar_cells / 9);
    for (int64_t at = 0; at <= whole; at += step) {
        char label[32];
        tick_label(label, sizeof label, at, w->term->utf8);
        int column =
            w->bar_start +
            (int)((double)at / (double)(whole > 0 ? whole : 1) * w->bar_cells);
        int columns = text_columns(label, w->term->utf8);
        if (column + columns > w->bar_start + w->bar_cells)
            column = w->bar_start + w->bar_cells - columns;
        if (column <= l->column && at > 0)
            continue;
        term_line_pad(l, column);
        term_line_text(l, TERM_DIM, label, -1);
    }
    term_line_end(l);
}

/* ---- pieces ------------------------------------------------------------ */

/* Pipes of the ancestors, then (unless `glyph` is NULL) the branch itself. */
static void put_branches(struct waterfall *w, uint32_t depth, const char *glyph)
{
    const struct term_glyphs *g = w->term->glyphs;
    uint32_t most = depth > DEPTH_MAX ? DEPTH_MAX : depth;
    for (uint32_t d = 1; d < most; d++)
        term_line_glyph(&w->line, TERM_DIM, w->more[d] ? g->pipe : g->blank, 2);
    if (depth > 0)
        term_line_glyph(&w->line, TERM_DIM,
                        glyph           ? glyph
                        : w->more[most] ? g->pipe
                                        : g->blank,
                        2);
}

/* A cell is CPU or waiting as a whole, so what it owes to the other is carried
 * to the next: of a row as many cells are CPU as the share of its time. */
static const char *cell_glyph(const struct waterfall *w,
                              const struct query_cell *c, float *owed)
{
    const struct term_glyphs *g = w->term->glyphs;
    float cell_ns =
        (float)(w->tree->end_ns - w->tree->start_ns) / (float)w->bar_cells;
    if (!c->is_touched)
        return c->queue_ns > 0 ? g->queue : " ";
    if (c->active_ns * 8 < cell_ns)
        return waterfall_sparse(w->term);
    if (c->unknown_ns * 2 > c->active_ns)
        return g->unknown;
    *owed += c->cpu_ns < c->active_ns ? c->cpu_ns / c->active_ns : 1;
    if (*owed < 0.5f)
        return g->wait;
    *owed -= 1;
    return g->cpu;
}

static void put_bar(struct waterfall *w, const struct query_cell *row,
                    enum term_style style)
{
    if (w->bar_cells == 0 || !row)
        return;
    term_line_pad(&w->line, w->bar_start);
    struct buf bar;
    float owed = 0;
    buf_init(&bar, 16384);
    for (int i = 0; i < w->bar_cells; i++)
        buf_text(&bar, cell_glyph(w, &row[i], &owed));
    term_line_glyph(&w->line, style, buf_get(&bar), w->bar_cells);
    buf_free(&bar);
}

static void put_time(struct waterfall *w, enum term_style style, int64_t ns)
{
    term_line_right(&w->line, style, format_duration(ns, w->term->utf8).text,
                    w->time_end);
}

/* The bar of a node: of all, or of those of its calls that failed. Where each
 * call has a line it holds until the next one. */
static const struct query_cell *row_of(const struct waterfall *w, bool failed,
                                       uint32_t node)
{
    struct query_cell *bars = failed ? w->failed : w->bars;
    if (!bars || !w->tree->is_single)
        return bars ? bars + (size_t)node * (size_t)w->bar_cells : NULL;
    query_tree_bar(w->tree, node, w->bar_cells, failed, bars);
    return bars;
}

/* ---- lines ------------------------------------------------------------- */

/* A line below a node about some of its calls: "! 1 failed". */
static void print_remark(struct waterfall *w, uint32_t node, const char *mark,
                         enum term_style style, int64_t count, const char *what,
                         int64_t ns, const struct query_cell *row, bool last)
{
    const struct query_node *n = &w->tree->nodes[node];
    const struct term_glyphs *g = w->term->glyphs;
    term_line_pad(&w->line, MARK_COLUMNS);
    w->more[n->depth + 1 > DEPTH_MAX ? DEPTH_MAX : n->depth + 1] = !last;
    put_branches(w, n->depth + 1, last ? g->last : g->branch);
    term_line_glyph(&w->line, style, mark, 1);
    if (n->calls > 1)
        term_line_printf(&w->line, style, " %s %s", format_count(count).text,
                         what);
    else
        term_line_printf(&w->line, style, " %s", what);
    if (ns >= 0) {
        put_time(w, TERM_PLAIN, ns);
        put_bar(w, row, style);
    }
    term_line_end(&w->line);
}

static void print_reasons(struct waterfall *w, uint32_t node)
{
    const struct query_node *n = &w->tree->nodes[node];
    struct term_line *l = &w->line;
    for (int i = 0; i < QUERY_REASONS && n->reasons[i].text; i++) {
        term_line_pad(l, MARK_COLUMNS);
        put_branches(w, n->depth + 1, NULL);
        term_line_pad(l, l->column + 2);
        if (n->reasons[i].count < n->errors && n->errors > 1)
            term_line_printf(l, TERM_DIM, "%s of them: ",
                             format_count(n->reasons[i].count).text);
        int room = l->term->width - l->column;
        term_line_text(l, TERM_RED, n->reasons[i].text, room > 8 ? room : 8);
        term_line_end(l);
    }
}

static bool shows_children(const struct waterfall *w,
                           const struct query_node *n)
{
    return n->first_child != QUERY_NONE &&
           (n->kind != QUERY_NODE_ORPHANS || w->orphans);
}

/* Its time is not in that of the row above. */
static void print_after(struct waterfall *w, uint32_t node, bool last)
{
    const struct query_node *n = &w->tree->nodes[node];
    struct buf what;
    buf_init(&what, 512);
    buf_printf(&what, "went on when %.64s had returned, for %s", n->after,
               format_duration(n->after_ns, w->term->utf8).text);
    print_remark(w, node, "+", TERM_CYAN, n->after_calls, buf_get(&what), -1,
                 NULL, last);
    buf_free(&what);
}

static void print_remarks(struct waterfall *w, uint32_t node)
{
    const struct query_node *n = &w->tree->nodes[node];
    bool children = shows_children(w, n);
    /* the failure of the trace's own process stands in the headline */
    bool failed =
        n->errors > 0 && !(n->kind == QUERY_NODE_PROCESS && n->depth == 0);
    bool handler = n->kind == QUERY_NODE_HANDLER;
    bool is_cut = handler && (n->unfinished > 0 || n->open > 0);
    if (n->after_calls > 0)
        print_after(w, node, !children && !failed && !is_cut);
    if (failed) {
        bool last = !children && !is_cut;
        print_remark(w, node, "!", TERM_RED, n->errors, "failed",
                     n->calls > 1 ? n->failed_ns : -1, row_of(w, true, node),
                     last);
        print_reasons(w, node);
    }
    if (handler && n->unfinished > n->execs)
        print_remark(w, node, "!", TERM_YELLOW, n->unfinished - n->execs,
                     "unfinished: open when the process ended", -1, NULL,
                     !children && n->open == 0 && n->execs == 0);
    if (handler && n->execs > 0)
        print_remark(w, node, ">", TERM_CYAN, n->execs, "ended by exec", -1,
                     NULL, !children && n->open == 0);
    if (handler && n->open > 0)
        print_remark(w, node, ">", TERM_CYAN, n->open, "running", -1, NULL,
                     !children);
}

/* Why they are orphans, as many reasons as there is room for, and how to see
 * them. */
static void put_orphan_reasons(struct waterfall *w, const struct query_node *n)
{
    const char *first = n->reasons[0].text;
    int room = w->bar_cells - (w->orphans ? 0 : (int)sizeof how_to_see - 1);
    struct term_line *l = &w->line;
    int end = l->column + (room > 8 ? room : 8);
    term_line_text(l, TERM_DIM, first ? first : "parent not known",
                   end - l->column);
    for (int i = 1; i < QUERY_REASONS && n->reasons[i].text; i++) {
        int len = (int)strlen(n->reasons[i].text) + 2;
        bool fits = l->column + len <= end;
        term_line_text(l, TERM_DIM, ", ", 2);
        term_line_text(l, TERM_DIM, fits ? n->reasons[i].text : "...",
                       fits ? len : 3);
        if (!fits)
            break;
    }
    if (!w->orphans)
        term_line_text(l, TERM_DIM, how_to_see, (int)sizeof how_to_see);
}

static void print_node(struct waterfall *w, uint32_t node, bool last)
{
    const struct query_node *n = &w->tree->nodes[node];
    const struct term_glyphs *g = w->term->glyphs;
    struct term_line *l = &w->line;
    bool orphans = n->kind == QUERY_NODE_ORPHANS;
    term_line_glyph(l, TERM_YELLOW, n->is_critical ? "*" : " ", 1);
    term_line_pad(l, MARK_COLUMNS);
    put_branches(w, n->depth, last ? g->last : g->branch);
    if (orphans)
        term_line_glyph(l, TERM_YELLOW, "? ", 2);
    int room = w->name_end - l->column - (n->is_recursive ? 2 : 0);
    term_line_name(l, n->errors ? TERM_RED : TERM_PLAIN, n->name,
                   room > 4 ? room : 4, w->how ? w->how[node] : APART_CUT);
    if (n->is_recursive) {
        term_line_pad(l, l->column + 1);
        term_line_glyph(l, TERM_DIM, g->recursive, 1);
    }
    if (n->calls > 1 || orphans) {
        struct format_text count = format_count(n->calls);
        term_line_pad(l, w->count_end - (int)strlen(count.text) - 2);
        term_line_glyph(l, TERM_DIM, g->times, 1);
        term_line_printf(l, TERM_PLAIN, " %s", count.text);
    }
    put_time(w, TERM_PLAIN, n->total_ns);
    if (orphans && w->bar_cells) {
        term_line_pad(l, w->bar_start);
        put_orphan_reasons(w, n);
    } else if (!orphans) {
        put_bar(w, row_of(w, false, node), TERM_PLAIN);
    }
    term_line_end(l);
}

/* Depth first without recursion: a tree can be as deep as a stack was. */
static void print_all(struct waterfall *w)
{
    const struct query_tree *t = w->tree;
    uint32_t at = t->first_root;
    while (at != QUERY_NONE) {
        const struct query_node *n = &t->nodes[at];
        bool last = n->next == QUERY_NONE;
        w->more[n->depth > DEPTH_MAX ? DEPTH_MAX : n->depth] = !last;
        print_node(w, at, last);
        print_remarks(w, at);
        if (shows_children(w, n)) {
            at = n->first_child;
            continue;
        }
        while (at != QUERY_NONE && t->nodes[at].next == QUERY_NONE)
            at = t->nodes[at].parent;
        at = at == QUERY_NONE ? at : t->nodes[at].next;
    }
}

int waterfall_print(const struct query_tree *tree, const struct term *term,
                    bool orphans)
{
    struct waterfall w = {.tree = tree, .term = term, .orphans = orphans};
    lay_out(&w);
    cut_names(&w);
    term_line_init(&w.line, term);
    if (w.bar_cells && tree->is_single) {
        w.bars = calloc((size_t)w.bar_cells, sizeof *w.bars);
        w.failed = calloc((size_t)w.bar_cells, sizeof *w.failed);
    } else if (w.bar_cells) {
        w.bars = query_tree_bars(tree, w.bar_cells, false);
        w.failed = query_tree_bars(tree, w.bar_cells, true);
    }
    int err = w.bar_cells && (!w.bars || !w.failed) ? -ENOMEM : 0;
    if (!err) {
        print_axis(&w);
        print_all(&w);
    }
    term_line_free(&w.line);
    free(w.bars);
    free(w.failed);
    free(w.how);
    return err;
}
