/* SPDX-License-Identifier: Apache-2.0 */
/* handspan list: the traces of the store, newest first. */
#include "tools/cli/command/commands.h"
#include "tools/cli/rows/rows.h"
#include "tools/cli/screen/share.h"
#include "tools/cli/screen/view.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include "tools/query/failure.h"
#include <errno.h>
#include <string.h>

enum {
    LIST_LIMIT = 50
};

struct list {
    struct view *view;
    struct term_table table;
    struct format_text zone; /* of the first row's time */
    int64_t seen;
    struct share_sum sum;
};

/* With its zone where that is not the heading's: summer and winter. */
static struct format_text started(struct list *l, const struct query_trace *t)
{
    struct format_text time = format_time_short(t->start_unix_ns);
    struct format_text zone = format_zone(t->start_unix_ns);
    if (l->seen == 1)
        l->zone = zone;
    if (strcmp(zone.text, l->zone.text) != 0) {
        size_t len = strlen(time.text);
        snprintf(time.text + len, sizeof time.text - len, " %.6s", zone.text);
    }
    return time;
}

/* What is beyond its own words of how it ended. */
static int add_failure(struct list *l, const struct query_trace *t,
                       struct view_outcome *outcome)
{
    struct query_failure f;
    int err = query_failure_load(l->view->db, t, &f);
    size_t len = strlen(outcome->text);
    /* what a trace lived with that went well is in its ERR */
    bool is_lived_with =
        t->errors > 0 && t->status && strcmp(t->status, "error") != 0;
    const char *reason = is_lived_with ? NULL : f.reason;
    const char *note = reason ? reason : f.late;
    if (f.overdue > 0)
        snprintf(outcome->text + len, sizeof outcome->text - len,
                 f.overdue == 1 ? ", overdue" : ", %lld overdue",
                 (long long)f.overdue);
    if (f.overdue > 0 && outcome->style != TERM_RED)
        outcome->style = TERM_YELLOW;
    term_table_cell(&l->table, 4, outcome->style, outcome->text);
    if (note)
        term_table_note(&l->table, reason ? TERM_RED : TERM_YELLOW, note);
    query_failure_free(&f);
    return err;
}

static int add_row(struct list *l, const struct query_trace *t)
{
    char id[9];
    struct view_outcome outcome = view_outcome(t);
    /* without one reason for all, ERR beside it says as much */
    if (t->errors > 0 && t->failed_exit_code < 0 && t->failed_signal < 0)
        outcome.text[outcome.others_at] = 0;
    struct term_table *table = &l->table;
    bool utf8 = l->view->term.utf8;
    term_table_cell(table, 0, TERM_BOLD, view_short_id(t, id));
    term_table_cell(table, 1, TERM_PLAIN, started(l, t).text);
    term_table_cell(table, 2, TERM_PLAIN, t->name ? t->name : "?");
    term_table_cell(table, 3, TERM_PLAIN,
                    format_duration(t->duration_ns, utf8).text);
    term_table_cell(table, 5, TERM_PLAIN, format_count(t->calls).text);
    term_table_cell(table, 6, t->errors ? TERM_RED : TERM_PLAIN,
                    format_count(t->errors).text);
    return add_failure(l, t, &outcome);
}

static int add(void *context, struct query_trace *t)
{
    struct list *l = context;
    int err = 0;
    l->seen++;
    if (l->view->json)
        err = row_trace(stdout, l->view->db, t);
    else
        err = add_row(l, t);
    share_sum_add(&l->sum, t);
    query_trace_free(t);
    return err;
}

static const struct term_column columns[] = {
    {.title = "TRACE", .left = true},
    {.title = "STARTED", .left = true, .drop = 1},
    {.title = "PROGRAM", .left = true, .shrinks = true},
    {.title = "TIME"},
    {.title = "RESULT", .left = true},
    {.title = "SPANS"},
    {.title = "ERR"},
};

/* `head`: the columns of `l->table`. */
static int print_table(struct list *l, struct term_column *head)
{
    char title[64];
    snprintf(title, sizeof title, "STARTED %.6s", l->zone.text);
    head[1].title = title;
    l->table.note_title = "REASON";
    return term_table_print(&l->table, &l->view->term);
}

static int print(struct view *v)
{
    struct term_column head[sizeof columns / sizeof *columns];
    struct list l = {.view = v};
    memcpy(head, columns, sizeof head);
    term_table_init(&l.table, head, sizeof head / sizeof *head);
    if (v->json)
        json_print_schema(stdout);
    int err = query_traces(v->db, &v->filter, add, &l);
    if (!err && !v->json && l.seen)
        err = print_table(&l, head);
    term_table_free(&l.table);
    if (err)
        return options_trouble("cannot read the store: %s",
                               err == -ENOMEM ? strerror(ENOMEM)
                                              : query_error(v->db));
    if (!v->json)
        share_sum_print(&v->term, v->db, &l.sum);
    if (!v->json && l.seen == v->limit)
        printf("The latest %lld; more with --limit=N.\n", (long long)l.seen);
    if (!l.seen && !v->json)
        fputs("No trace in the store matches.\n", stdout);
    return l.seen ? EXIT_FINE : EXIT_FOUND;
}

int cmd_list(int argc, char **argv)
{
    struct view v = VIEW_INIT;
    v.limit = LIST_LIMIT;
    const struct option_spec specs[] = {
        VIEW_OPTIONS(v),
        {"limit", 'n', OPTION_NUMBER, "N", "at most N traces (50; 0: all)",
         &v.limit},
    };
    const struct options o = {
        .command = "handspan list",
        .operands = "",
        .about = "Traces in the store, newest first. REASON: what failed "
                 "first in it, a handler or\na process; \"overdue\": a call "
                 "was open for longer than its limit.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    int status = view_open(&v, false);
    if (!status) {
        view_page(&v);
        status = print(&v);
    }
    view_close(&v);
    return status;
}
