/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan errors: what failed, each kind of failure once, over all traces:
 * why, how often, since when, and one of them with its whole context.
 */
#include "tools/cli/command/commands.h"
#include "tools/cli/rows/rows.h"
#include "tools/cli/screen/error_screen.h"
#include "tools/cli/screen/share.h"
#include "tools/cli/screen/slow.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include "tools/query/tree.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    ID_DIGITS = 4,
    ID_MAX = 16,
};

struct errors {
    struct view *view;
    struct query_groups groups;
    int digits; /* of ids, so that they are told apart */
    bool full;
    struct share_sum sum;
    int64_t new_since; /* groups whose first failure is later; 0: all */
};

static int compare_ids(const void *a, const void *b)
{
    const struct query_group *const *x = a, *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

/* Those that are most alike stand side by side. */
static int set_digits(struct errors *e, const char *typed)
{
    size_t count = e->groups.count;
    const struct query_group **sorted = calloc(count + 1, sizeof *sorted);
    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &e->groups.group[i];
    qsort(sorted, count, sizeof *sorted, compare_ids);
    size_t digits =
        typed && strlen(typed) > ID_DIGITS ? strlen(typed) : (size_t)ID_DIGITS;
    for (size_t i = 1; i < count; i++)
        while (digits < ID_MAX &&
               strncmp(sorted[i - 1]->id, sorted[i]->id, digits) == 0)
            digits++;
    free(sorted);
    e->digits = digits < ID_MAX ? (int)digits : ID_MAX;
    return 0;
}

static const char *short_id(const struct errors *e, const struct query_group *g,
                            char out[ID_MAX + 1])
{
    snprintf(out, ID_MAX + 1, "%.*s", e->digits, g->id);
    return out;
}

/* Its reason as one line: of the example, else what all have in common. */
static void put_reason(const struct query_group *g, struct buf *b)
{
    if (g->error)
        query_error_line(g->error, true, b);
    else
        error_screen_title(g, b);
    if (g->is_process && g->open_spans > 0)
        buf_printf(b, "; %s open handler%s when it ended",
                   format_count(g->open_spans).text,
                   g->open_spans == 1 ? "" : "s");
    if (g->is_process && !g->end_source)
        buf_text(b, "; cause unknown");
}

static void print_group(const struct errors *e, const struct query_group *g)
{
    const struct term *t = &e->view->term;
    char id[ID_MAX + 1];
    struct buf b;
    struct term_line l;
    buf_init(&b, 8192);
    term_line_init(&l, t);
    term_line_text(&l, TERM_YELLOW, short_id(e, g, id), -1);
    term_line_printf(&l, TERM_PLAIN, "  ");
    int indent = e->digits + 2;
    term_line_text(&l, TERM_BOLD, g->handler ? g->handler : "?", -1);
    term_line_printf(&l, TERM_PLAIN, ": ");
    put_reason(g, &b);
    term_line_wrap(&l, TERM_RED, buf_get(&b), indent);
    term_line_end(&l);
    term_line_pad(&l, indent);
    if (g->calls > 0)
        term_line_printf(
            &l, TERM_DIM, "%s of %s %s (%s)", format_count(g->count).text,
            format_count(g->calls).text, g->is_process ? "processes" : "calls",
            format_share(g->count, g->calls).text);
    else
        term_line_printf(&l, TERM_DIM, "%s calls", format_count(g->count).text);
    if (g->count > 1)
        term_line_printf(&l, TERM_DIM, ", first %s",
                         format_time_short(g->first_unix_ns).text);
    term_line_printf(&l, TERM_DIM, ", last %s",
                     format_time_short(g->last_unix_ns).text);
    term_line_end(&l);
    term_line_free(&l);
    buf_free(&b);
}

/* ---- throws -------------------------------------------------------------- */

/* They are counted by session: with a filter there is no figure to give. */
static bool has_filter(const struct query_filter *f)
{
    return f->since_unix_ns || f->until_unix_ns || f->program || f->status ||
           f->service || f->host || f->pid >= 0;
}

static int print_throws(const struct errors *e, int64_t trace)
{
    struct query_detail d = {0};
    if (!trace && has_filter(&e->view->filter))
        return 0;
    int err = trace ? query_detail_load(e->view->db, trace, &d)
                    : query_throws_load(e->view->db, &d);
    if (!err && e->view->json)
        err = rows_throws(stdout, &d);
    else if (!err)
        slow_print_throws(&e->view->term, &d);
    query_detail_free(&d);
    return err;
}

/* ---- traces that failed without an error ----------------------------------
 */

struct failed {
    int64_t only; /* this trace; 0: all */
    int64_t count;
    char newest[160];
};

static int see_failed(void *context, struct query_trace *t)
{
    struct failed *f = context;
    char id[9];
    if (strcmp(t->status, "error") == 0 && (!f->only || f->only == t->trace) &&
        f->count++ == 0)
        snprintf(f->newest, sizeof f->newest, "%s: %s", view_short_id(t, id),
                 view_outcome(t).text);
    query_trace_free(t);
    return 0;
}

/* Nothing that was traced failed; but the command of `run` may have, which is
 * then no traced program (a script's shell, say). */
static int print_none(const struct errors *e, int64_t trace)
{
    struct failed f = {.only = trace};
    struct query_filter filter = e->view->filter;
    if (!filter.status)
        filter.status = "error";
    if (query_traces(e->view->db, &filter, see_failed, &f) != 0)
        return options_trouble("cannot read the store: %s",
                               query_error(e->view->db));
    if (f.count == 0)
        fputs("No errors.\n", stdout);
    else if (f.count == 1)
        printf("No traced call or process failed, but trace %s: what failed "
               "there was not\ntraced.\n",
               f.newest);
    else
        printf("No traced call or process failed, but %lld traces, the newest "
               "%s: what failed\nthere was not traced "
               "(handspan list --where status=error).\n",
               (long long)f.count, f.newest);
    return f.count ? EXIT_FINE : EXIT_FOUND;
}

/* ---- command ------------------------------------------------------------- */

static int print_all(const struct errors *e, const char *id, int64_t of_trace)
{
    size_t shown = 0;
    int err = 0;
    char text[ID_MAX + 1];
    if (e->view->json)
        err = share_print_schema(stdout, e->view->db, &e->sum);
    for (size_t i = 0; i < e->groups.count && !err; i++) {
        const struct query_group *g = &e->groups.group[i];
        if ((id && strncmp(g->id, id, strlen(id)) != 0) ||
            g->first_unix_ns < e->new_since)
            continue;
        if (shown++ > 0 && e->full && !e->view->json)
            fputc('\n', stdout);
        if (e->view->json)
            err = row_group(stdout, e->view->db, g);
        else if (e->full)
            err = error_screen_print(e->view, g, short_id(e, g, text));
        else
            print_group(e, g);
    }
    if (err)
        return options_trouble("cannot read the store: %s",
                               err == -ENOMEM ? strerror(ENOMEM)
                                              : query_error(e->view->db));
    if (!shown && id)
        options_trouble("no group of errors begins with '%s'", id);
    else if (!shown && e->new_since && !e->view->json)
        printf("Nothing failed for the first time since %s.\n",
               format_time_short(e->new_since).text);
    else if (!shown && !e->view->json)
        return print_none(e, of_trace);
    return shown ? EXIT_FINE : EXIT_FOUND;
}

static int print(struct errors *e, const char *trace, const char *id)
{
    struct query_trace t = {0};
    int status = trace ? view_choose(e->view, trace, &t) : 0;
    if (status)
        return status;
    int64_t of_trace = t.trace;
    int err = query_groups_load(e->view->db, &e->view->filter, of_trace, id,
                                &e->groups);
    if (trace)
        share_sum_add(&e->sum, &t);
    else if (!err)
        err = share_sum_find(e->view->db, &e->view->filter, &e->sum);
    query_trace_free(&t);
    if (!err)
        err = set_digits(e, id);
    if (err)
        return options_trouble("cannot read the store: %s",
                               err == -ENOMEM ? strerror(ENOMEM)
                                              : query_error(e->view->db));
    e->full = e->full || id;
    status = print_all(e, id, of_trace);
    if (!id && !e->new_since && status != EXIT_TROUBLE &&
        print_throws(e, of_trace) != 0)
        status = options_trouble("cannot read the store: %s",
                                 query_error(e->view->db));
    if (status != EXIT_TROUBLE && !e->view->json)
        share_sum_print(&e->view->term, e->view->db, &e->sum);
    query_groups_free(&e->groups);
    return status;
}

int cmd_errors(int argc, char **argv)
{
    struct view v = VIEW_INIT;
    struct errors e = {.view = &v};
    const char *trace = NULL;
    const struct option_spec specs[] = {
        {"full", 0, OPTION_FLAG, NULL, "with the whole context of an example",
         &e.full},
        {"trace", 0, OPTION_TEXT, "TRACE", "of this trace only", &trace},
        {"new-since", 0, OPTION_TIME, "TIME",
         "kinds of failure that were never seen before", &e.new_since},
        VIEW_OPTIONS(v),
    };
    const struct options o = {
        .command = "handspan errors",
        .operands = "[GROUP]",
        .about = "What failed, each kind of failure once: why, how often, "
                 "when. With GROUP (the first\ndigits of its id) or --full "
                 "also where in the source, below which handlers, on\nwhich "
                 "input. Processes that failed stand there as well.\n"
                 "Exit status, as of grep: 0 when something is shown, 1 when "
                 "nothing is.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
        .operand_max = 1};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    int status = view_open(&v, false);
    if (!status) {
        view_page(&v);
        status = print(&e, trace, operands ? argv[0] : NULL);
    }
    view_close(&v);
    return status;
}
