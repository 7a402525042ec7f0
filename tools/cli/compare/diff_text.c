/* SPDX-License-Identifier: Apache-2.0 */
/* A comparison for people; see compare.h. */
#include "tools/cli/compare/compare.h"
#include "tools/common/text/format.h"
#include "tools/common/text/text.h"
#include <errno.h>
#include <math.h>
#include <string.h>

/* What differs by less is told as the same, where a test says so. */
#define ALIKE 1.05

enum {
    NOISE_ROWS = 5,
    SENTENCES = 3,
    OBJECTS = 8,
    ERRORS = 10,
};

const char *compare_verdict_name(const struct compare *c,
                                 const struct compare_row *row)
{
    static const char *const names[] = {"noise", "change", "likely", "new",
                                        "gone"};
    bool is_unclear = row->verdict == COMPARE_NOISE && !c->is_tested;
    return is_unclear ? "unclear" : names[row->verdict];
}

/* ---- figures ------------------------------------------------------------- */

struct change_text {
    char text[64];
};

/* "+17%", "-3%", "=", "x12"; "-": not known. */
static struct change_text change_of(int64_t a, int64_t b)
{
    struct change_text out = {"-"};
    if (a < 0 || b < 0 || (a == 0 && b != 0))
        return out;
    double percent = a ? ((double)b / (double)a - 1) * 100 : 0;
    if (a == b)
        snprintf(out.text, sizeof out.text, "=");
    else if (percent >= 999.5)
        snprintf(out.text, sizeof out.text, "x%.0f", (double)b / (double)a);
    else if (fabs(percent) < 9.95)
        snprintf(out.text, sizeof out.text, "%+.1f%%", percent);
    else
        snprintf(out.text, sizeof out.text, "%+.0f%%", percent);
    return out;
}

static struct change_text p_of(double p)
{
    struct change_text out = {"-"};
    if (p >= 0 && p < 0.001)
        snprintf(out.text, sizeof out.text, "<.001");
    else if (p >= 0)
        snprintf(out.text, sizeof out.text, "%.3f", p);
    return out;
}

/* ---- who is compared ----------------------------------------------------- */

static void print_side(const struct view *v, const struct compare_side *s,
                       const char *letter)
{
    struct term_line l;
    char id[9];
    const struct query_trace *t = &s->trace[0];
    const struct query_trace *first = &s->trace[s->count - 1];
    const char *name = t->name ? t->name : "?";
    term_line_init(&l, &v->term);
    term_line_text(&l, TERM_BOLD, letter, -1);
    term_line_text(&l, TERM_PLAIN, "  ", -1);
    term_line_text(&l, TERM_BOLD, name, v->term.width / 3);
    if (s->count == 1) {
        struct view_outcome outcome = view_outcome(t);
        term_line_printf(&l, TERM_PLAIN, "  %s  %s  %s  ", view_short_id(t, id),
                         format_time_short(t->start_unix_ns).text,
                         format_duration(s->wall_ns[0], v->term.utf8).text);
        term_line_text(&l, outcome.style, outcome.text, -1);
    } else {
        term_line_printf(&l, TERM_PLAIN, "  %zu runs, %s to %s", s->count,
                         format_time_short(first->start_unix_ns).text,
                         format_time_short(t->start_unix_ns).text);
    }
    term_line_end(&l);
    term_line_free(&l);
    if (s->text && strchr(s->text, '='))
        printf("   %s\n", text_shown(s->text).text);
    if (s->matching > (int64_t)s->count)
        printf("   the latest %zu of %s (--limit)\n", s->count,
               format_count(s->matching).text);
}

/* ---- what came of it ----------------------------------------------------- */

static void put_p(const struct compare *c, const struct compare_row *r,
                  struct buf *b)
{
    if (c->is_tested && r->p >= 0)
        buf_printf(b, " (p %s%s)", r->p < 0.001 ? "" : "= ", p_of(r->p).text);
}

/* "12%", "a factor of 20". */
static struct change_text size_of(int64_t a, int64_t b)
{
    struct change_text out;
    double ratio = a > 0 && b > 0 ? (double)b / (double)a : 1;
    double factor = ratio < 1 ? 1 / ratio : ratio;
    if (factor >= 10)
        snprintf(out.text, sizeof out.text, "a factor of %.20s",
                 format_count((int64_t)factor).text);
    else
        snprintf(out.text, sizeof out.text, "%.*f%%", fabs(ratio - 1) < 0.0995,
                 fabs(ratio - 1) * 100);
    return out;
}

static void print_whole(const struct view *v, const struct compare *c)
{
    const struct compare_row *w = &c->whole;
    bool utf8 = v->term.utf8, is_change = compare_is_change(w);
    int64_t a = w->side[COMPARE_A].self_ns, b = w->side[COMPARE_B].self_ns;
    bool is_alike =
        a == b || (c->is_tested && w->ratio > 1 / ALIKE && w->ratio < ALIKE);
    struct buf text;
    buf_init(&text, 1024);
    if (is_change)
        buf_printf(&text, "B is %s by %s: ", b > a ? "slower" : "faster",
                   size_of(a, b).text);
    else if (is_alike)
        buf_text(&text, "As long as before: ");
    else
        buf_text(&text, "No clear difference: ");
    buf_printf(&text, "%s, then %s", format_duration(a, utf8).text,
               format_duration(b, utf8).text);
    if (!is_change && a != b)
        buf_printf(&text, is_alike ? "; %s is noise" : ", %s",
                   change_of(a, b).text);
    put_p(c, w, &text);
    buf_char(&text, '.');
    term_wrap(&v->term, is_change ? TERM_BOLD : TERM_PLAIN, buf_get(&text), 0);
    buf_free(&text);
}

static void put_calls(const struct compare_row *r, struct buf *b)
{
    if (r->is_calls_changed) {
        buf_printf(b, "; calls %s", format_count(r->side[0].calls).text);
        buf_printf(b, ", then %s%s", format_count(r->side[1].calls).text,
                   r->verdict == COMPARE_CHANGED ? " in each run" : "");
    }
}

/* "call_llm: self 9.8s, then 11.5s (+17%): 98% of all change (p = 0.008)." */
static void print_sentence(const struct view *v, const struct compare *c,
                           const struct compare_row *r)
{
    struct buf text;
    bool utf8 = v->term.utf8;
    const struct compare_figures *a = &r->side[COMPARE_A],
                                 *b = &r->side[COMPARE_B];
    buf_init(&text, 1 << 17);
    text_escape(&text, r->name);
    if (r->verdict == COMPARE_NEW || r->verdict == COMPARE_GONE) {
        const struct compare_figures *f = r->verdict == COMPARE_NEW ? b : a;
        const struct compare_figures *other = r->verdict == COMPARE_NEW ? a : b;
        buf_printf(&text, " is %s: self %s", compare_verdict_name(c, r),
                   format_duration(f->self_ns, utf8).text);
        buf_printf(
            &text, ", %s calls; in %s it %s", format_count(f->calls).text,
            r->verdict == COMPARE_NEW ? "A" : "B",
            c->is_by_path        ? "is not there"
            : other->is_declared ? "was bound and never called"
                                 : "was not bound (manifest or program)");
    } else {
        buf_printf(&text, ": self %s, then %s (%s)",
                   format_duration(a->self_ns, utf8).text,
                   format_duration(b->self_ns, utf8).text,
                   change_of(a->self_ns, b->self_ns).text);
        put_calls(r, &text);
    }
    buf_printf(&text, ": %.0f%% of all change", r->part * 100);
    put_p(c, r, &text);
    buf_char(&text, '.');
    term_wrap(&v->term, TERM_PLAIN, buf_get(&text), 2);
    buf_free(&text);
}

static void print_none(const struct view *v, const struct compare *c)
{
    struct buf text;
    const struct compare_row *r = c->row;
    buf_init(&text, 1 << 17);
    buf_printf(&text, c->is_tested ? "No %s changed" : "No %s stands out",
               c->is_by_path ? "path" : "handler");
    if (c->row_count > 0 && r->change_ns != 0) {
        buf_text(&text, ": the largest difference, ");
        text_escape(&text, r->name);
        buf_printf(
            &text, " %s",
            change_of(r->side[COMPARE_A].self_ns, r->side[COMPARE_B].self_ns)
                .text);
        buf_text(&text, c->is_tested ? ", is what runs differ by" : "");
        put_p(c, r, &text);
    }
    buf_char(&text, '.');
    term_wrap(&v->term, TERM_BOLD, buf_get(&text), 0);
    buf_free(&text);
}

static void print_verdict(const struct view *v, const struct compare *c)
{
    size_t changed = 0;
    putchar('\n');
    print_whole(v, c);
    while (changed < c->row_count && compare_is_change(&c->row[changed]))
        changed++;
    for (size_t i = 0; i < changed && i < SENTENCES; i++)
        print_sentence(v, c, &c->row[i]);
    if (changed == 0)
        print_none(v, c);
}

/* ---- table --------------------------------------------------------------- */

static const struct term_column columns[] = {
    {.title = "HANDLER", .left = true, .shrinks = true},
    {.title = "SELF A"},
    {.title = "B"},
    {.title = "CHANGE"},
    {.title = "PART"},
    {.title = "IS", .left = true},
    {.title = "CALLS"},
    {.title = "CPU", .drop = 3},
    {.title = "WAIT", .drop = 4},
    {.title = "P50", .drop = 1},
    {.title = "P95", .drop = 5},
    {.title = "P", .drop = 2}, /* last: only where there was a test */
};

static void add_row(struct term_table *t, const struct compare *c,
                    const struct compare_row *r, bool utf8)
{
    const struct compare_figures *a = &r->side[COMPARE_A],
                                 *b = &r->side[COMPARE_B];
    bool is_change = compare_is_change(r);
    enum term_style style = !is_change         ? TERM_DIM
                            : r->change_ns > 0 ? TERM_RED
                                               : TERM_GREEN;
    enum term_style plain = is_change ? TERM_PLAIN : TERM_DIM;
    char part[16];
    snprintf(part, sizeof part, "%.0f%%", r->part * 100);
    term_table_cell(t, 0, is_change ? TERM_BOLD : TERM_DIM, r->name);
    term_table_cell(t, 1, plain, format_duration(a->self_ns, utf8).text);
    term_table_cell(t, 2, plain, format_duration(b->self_ns, utf8).text);
    term_table_cell(t, 3, style, change_of(a->self_ns, b->self_ns).text);
    term_table_cell(t, 4, plain, part);
    term_table_cell(t, 5, style, compare_verdict_name(c, r));
    if (r->p >= 0)
        term_table_cell(t, 11, plain, p_of(r->p).text);
    if (r->verdict == COMPARE_NEW || r->verdict == COMPARE_GONE)
        return;
    term_table_cell(t, 6, plain, change_of(a->calls, b->calls).text);
    term_table_cell(t, 7, plain, change_of(a->cpu_ns, b->cpu_ns).text);
    term_table_cell(t, 8, plain, change_of(a->wait_ns, b->wait_ns).text);
    term_table_cell(t, 9, plain, change_of(a->p50_ns, b->p50_ns).text);
    term_table_cell(t, 10, plain, change_of(a->p95_ns, b->p95_ns).text);
}

static int print_table(const struct view *v, const struct compare *c, bool all)
{
    struct term_table table;
    struct term_column head[sizeof columns / sizeof *columns];
    size_t noise = 0;
    memcpy(head, columns, sizeof head);
    head[0].title = c->is_by_path ? "PATH" : "HANDLER";
    term_table_init(&table, head,
                    (int)(sizeof head / sizeof *head) - !c->is_tested);
    for (size_t i = 0; i < c->row_count; i++) {
        noise += !compare_is_change(&c->row[i]);
        if (all || noise <= NOISE_ROWS)
            add_row(&table, c, &c->row[i], v->term.utf8);
    }
    putchar('\n');
    int err = term_table_print(&table, &v->term);
    term_table_free(&table);
    if (!all && noise > NOISE_ROWS)
        printf("and %zu more that %s (--all)\n", noise - NOISE_ROWS,
               c->is_tested ? "are noise" : "do not stand out");
    return err;
}

/* ---- errors, objects ----------------------------------------------------- */

/* "New failure in 3 of 5 runs: extract: return < 0 (ENOENT), 12 times." */
static void print_error(const struct view *v, const struct compare *c,
                        const struct compare_error *e)
{
    bool is_new = e->count[COMPARE_A] == 0;
    int side = is_new ? COMPARE_B : COMPARE_A;
    struct buf text;
    buf_init(&text, 8192);
    buf_text(&text, is_new ? "New failure" : "Failure that is gone");
    if (c->side[side].count > 1)
        buf_printf(&text, " (%lld of %zu runs)", (long long)e->runs[side],
                   c->side[side].count);
    buf_text(&text, ": ");
    text_escape(&text, e->text);
    buf_printf(&text, ", %s time%s", format_count(e->count[side]).text,
               e->count[side] == 1 ? "" : "s");
    if (is_new)
        buf_printf(&text, "; handspan errors %.8s", e->id);
    buf_char(&text, '.');
    term_wrap(&v->term, is_new ? TERM_RED : TERM_GREEN, buf_get(&text), 2);
    buf_free(&text);
}

static void print_errors(const struct view *v, const struct compare *c)
{
    size_t shown = 0, other = 0;
    for (size_t i = 0; i < c->error_count; i++) {
        const struct compare_error *e = &c->error[i];
        if (e->count[COMPARE_A] && e->count[COMPARE_B])
            continue;
        if (shown++ < ERRORS)
            print_error(v, c, e);
        else
            other++;
    }
    if (other)
        printf("and %zu more failures that only one side has (--json)\n",
               other);
}

bool compare_is_other(const struct compare *c, const struct compare_object *o)
{
    (void)c;
    const char *a = o->build_id[COMPARE_A], *b = o->build_id[COMPARE_B];
    return (a || b) && !(a && b && strcmp(a, b) == 0 && !o->is_mixed);
}

static void print_objects(const struct view *v, const struct compare *c)
{
    struct buf text;
    size_t count = 0;
    buf_init(&text, 16384);
    for (size_t i = 0; i < c->object_count; i++) {
        const struct compare_object *o = &c->object[i];
        const char *slash = strrchr(o->path, '/');
        const char *a = o->build_id[COMPARE_A], *b = o->build_id[COMPARE_B];
        if (!compare_is_other(c, o) || ++count > OBJECTS)
            continue;
        buf_text(&text, count > 1 ? "; " : "");
        text_escape(&text, slash ? slash + 1 : o->path);
        if (o->is_mixed)
            buf_text(&text, " is not the same in all runs of a side");
        else if (a && b)
            buf_printf(&text, " changed (build id %.8s, then %.8s)", a, b);
        else
            buf_printf(&text, " has handlers in %s alone", a ? "A" : "B");
    }
    if (count > OBJECTS)
        buf_printf(&text, "; and %zu more", count - OBJECTS);
    buf_char(&text, '.');
    if (count)
        term_wrap(&v->term, TERM_YELLOW, buf_get(&text), 2);
    else if (c->object_count)
        term_wrap(&v->term, TERM_DIM,
                  "Programs and libraries with handlers are the same builds on "
                  "both sides.",
                  2);
    buf_free(&text);
}

/* ---- how it was judged --------------------------------------------------- */

static void print_method(const struct view *v, const struct compare *c)
{
    struct buf b;
    size_t a_runs = c->side[COMPARE_A].count, b_runs = c->side[COMPARE_B].count;
    buf_init(&b, 2048);
    if (c->is_tested)
        buf_printf(
            &b,
            "Medians of %zu and %zu runs. A change: 5%% or more and p < 0.01, "
            "or 10%% and p < 0.02. p: permutation test of the runs, %s %zu "
            "ways to deal them to two sides, of all rows together.",
            a_runs, b_runs, c->stated.is_all ? "all" : "at random",
            c->stated.count);
    else if (a_runs == 1 && b_runs == 1)
        buf_printf(&b,
                   "One run a side: what two runs differ by without a change "
                   "cannot be told. likely: 8%% or more, and far from what the "
                   "other handlers differ by (%.1f%%, an estimate). Five runs "
                   "a side can be tested.",
                   c->spread * 100);
    else
        buf_printf(&b,
                   "Medians of %zu and %zu runs: too few for a test (p could "
                   "not be less than %.2g). likely: 8%% or more, and far "
                   "beyond the spread of runs (%.1f%%, an estimate). Five runs "
                   "a side can be tested.",
                   a_runs, b_runs, c->stated.least_p, c->spread * 100);
    term_wrap(&v->term, TERM_DIM, buf_get(&b), 0);
    buf_free(&b);
    int64_t lacking = c->side[COMPARE_A].lacking + c->side[COMPARE_B].lacking;
    int64_t open =
        c->side[COMPARE_A].still_open + c->side[COMPARE_B].still_open;
    buf_init(&b, 2048);
    if (lacking)
        buf_printf(
            &b, "%s of the runs lack%s detail of calls (handspan list): %s. ",
            format_count(lacking).text, lacking == 1 ? "s" : "",
            c->is_by_path ? "what is missing there is missing here"
                          : "calls and times are exact all the same");
    if (open)
        buf_printf(&b, "%s that still run%s left out.", format_count(open).text,
                   open == 1 ? "s is" : " are");
    if (lacking || open)
        term_wrap(&v->term, TERM_YELLOW, buf_get(&b), 0);
    buf_free(&b);
}

int compare_print_text(const struct view *v, const struct compare *c, bool all)
{
    print_side(v, &c->side[COMPARE_A], "A");
    print_side(v, &c->side[COMPARE_B], "B");
    print_verdict(v, c);
    int err = print_table(v, c, all);
    putchar('\n');
    print_errors(v, c);
    print_objects(v, c);
    print_method(v, c);
    return err;
}
