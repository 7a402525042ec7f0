/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan top: what is open now, in all programs of the store: calls by age
 * with where they stand, overdue ones first, and handlers by time and rate. On
 * a terminal drawn again in place.
 */
#include "tools/cli/live/cmd_live.h"
#include "tools/cli/live/top.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <time.h>

enum {
    LINES = 24,
    HEAD_LINES = 5, /* what is neither a call nor a handler */
    LIMIT = 200,    /* calls and handlers that are told once */
};
struct screen {
    struct view view;
    struct top top;
    bool once;
    int64_t every_s;
};

/* ---- for people ---------------------------------------------------------- */

static const struct term_column call_columns[] = {
    {.title = "AGE"},
    {.title = "CALL", .left = true},
    {.title = "PROGRAM", .left = true, .drop = 1},
    {.title = "PID"},
    {.title = "WHERE", .left = true, .shrinks = true},
};
static const struct term_column handler_columns[] = {
    {.title = "HANDLER", .left = true, .shrinks = true},
    {.title = "BUSY"},
    {.title = "CALLS/s"},
    {.title = "ERR/s"},
    {.title = "CALLS"},
    {.title = "ERR"},
    {.title = "MAX"},
};

/* What stands below it on its thread, where it is not the innermost. */
static void put_inner(const struct top *t, size_t at, char *out, size_t cap)
{
    const struct query_live_call *c = &t->now.call[at];
    for (size_t i = 0; i < t->now.call_count; i++) {
        const struct query_live_call *d = &t->now.call[i];
        if (i != at && d->session == c->session && d->pid == c->pid &&
            d->tid == c->tid && d->is_innermost) {
            snprintf(out, cap, "in %s", d->name ? d->name : "?");
            return;
        }
    }
    snprintf(out, cap, "-");
}

static void add_call(struct term_table *table, const struct screen *s,
                     size_t at)
{
    const struct top *t = &s->top;
    const struct query_live_call *c = &t->now.call[at];
    char inner[160], pid[24];
    bool utf8 = s->view.term.utf8;
    enum term_style style = c->is_overdue ? TERM_RED : TERM_PLAIN;
    int64_t age = t->at_ns - c->start_unix_ns;
    put_inner(t, at, inner, sizeof inner);
    snprintf(pid, sizeof pid, "%lld", (long long)c->pid);
    term_table_cell(table, 0, style,
                    format_duration(age > 0 ? age : 0, utf8).text);
    term_table_cell(table, 1, style, c->name ? c->name : "?");
    term_table_cell(table, 2, TERM_PLAIN, c->program ? c->program : "?");
    term_table_cell(table, 3, TERM_PLAIN, pid);
    term_table_cell(table, 4, t->where[at] ? TERM_PLAIN : TERM_DIM,
                    t->where[at] ? t->where[at] : inner);
}

static void put_rate(struct term_table *table, int column, double rate,
                     enum term_style style)
{
    char text[64];
    if (rate >= 99.95)
        snprintf(text, sizeof text, "%s",
                 format_count((int64_t)(rate + 0.5)).text);
    else
        snprintf(text, sizeof text, rate > 0 ? "%.1f" : "%.0f", rate);
    term_table_cell(table, column, style, text);
}

static void add_handler(struct term_table *table, const struct screen *s,
                        size_t at)
{
    const struct query_live_handler *h = &s->top.now.handler[at];
    const struct top_rate *r = &s->top.rate[at];
    enum term_style errors = h->errors ? TERM_RED : TERM_PLAIN;
    char busy[32];
    snprintf(busy, sizeof busy, "%.0f%%", r->busy * 100);
    term_table_cell(table, 0, TERM_PLAIN, h->name ? h->name : "?");
    term_table_cell(table, 1, TERM_PLAIN, busy);
    put_rate(table, 2, r->calls, TERM_PLAIN);
    put_rate(table, 3, r->errors, errors);
    term_table_cell(table, 4, TERM_PLAIN, format_count(h->calls).text);
    term_table_cell(table, 5, errors, format_count(h->errors).text);
    term_table_cell(table, 6, TERM_PLAIN,
                    format_duration(h->max_ns, s->view.term.utf8).text);
}

static void print_head(const struct screen *s)
{
    const struct query_live *n = &s->top.now;
    struct term_line l;
    term_line_init(&l, &s->view.term);
    term_line_printf(&l, TERM_BOLD, "%s  %lld program%s",
                     format_time_short(s->top.at_ns).text,
                     (long long)n->processes, n->processes == 1 ? "" : "s");
    term_line_printf(&l, TERM_PLAIN, "  %s call%s open",
                     format_count(n->open).text, n->open == 1 ? "" : "s");
    if (n->overdue)
        term_line_printf(&l, TERM_RED, "  %s overdue",
                         format_count(n->overdue).text);
    term_line_end(&l);
    term_line_free(&l);
}

/* At most `lines` of them; what is left out is said. */
static int print_calls(const struct screen *s, size_t lines)
{
    const struct query_live *n = &s->top.now;
    struct term_table table;
    if (n->call_count == 0) {
        fputs("No call has been open for 0.2 s or longer.\n", s->view.term.out);
        return 0;
    }
    term_table_init(&table, call_columns,
                    (int)(sizeof call_columns / sizeof *call_columns));
    for (size_t i = 0; i < n->call_count && i < lines; i++)
        add_call(&table, s, i);
    int err = term_table_print(&table, &s->view.term);
    term_table_free(&table);
    if (n->open > (int64_t)lines)
        fprintf(s->view.term.out, "and %s more\n",
                format_count(n->open - (int64_t)lines).text);
    return err;
}

static int print_handlers(const struct screen *s, size_t lines)
{
    const struct query_live *n = &s->top.now;
    struct term_table table;
    if (n->handler_count == 0)
        return 0;
    fputc('\n', s->view.term.out);
    term_table_init(&table, handler_columns,
                    (int)(sizeof handler_columns / sizeof *handler_columns));
    for (size_t i = 0; i < n->handler_count && i < lines; i++)
        add_handler(&table, s, i);
    int err = term_table_print(&table, &s->view.term);
    term_table_free(&table);
    return err;
}

/* Half of the lines for each, more where the other needs fewer. */
static int print_text(const struct screen *s, size_t lines)
{
    const struct query_live *n = &s->top.now;
    size_t half = lines / 2;
    size_t handlers = n->handler_count < half ? n->handler_count : half;
    size_t calls = lines - handlers;
    print_head(s);
    if (n->processes == 0) {
        fputs("Nothing that is traced into this store runs now.\n",
              s->view.term.out);
        return 0;
    }
    int err = print_calls(s, calls);
    if (n->call_count < calls)
        handlers = lines - n->call_count;
    return err ? err : print_handlers(s, handlers);
}

/* ---- for programs -------------------------------------------------------- */

static int print_json(const struct screen *s)
{
    const struct top *t = &s->top;
    int err = 0;
    json_print_schema(stdout);
    for (size_t i = 0; i < t->now.call_count && !err; i++) {
        const struct query_live_call *c = &t->now.call[i];
        struct cJSON *o = json_object();
        json_text(o, "kind", "call");
        json_text(o, "trace_id", c->trace);
        json_text(o, "name", c->name);
        json_text(o, "caller", c->caller);
        json_text(o, "program", c->program);
        json_count(o, "pid", c->pid);
        json_count(o, "tid", c->tid);
        json_text(o, "thread_name", c->thread);
        json_int(o, "start_unix_ns", c->start_unix_ns);
        json_int(o, "age_ns", t->at_ns - c->start_unix_ns);
        json_count(o, "overdue_ns", c->overdue_ns);
        json_bool(o, "is_overdue", c->is_overdue);
        json_text(o, "where", t->where[i]);
        err = json_print(stdout, o);
    }
    for (size_t i = 0; i < t->now.handler_count && !err; i++) {
        const struct query_live_handler *h = &t->now.handler[i];
        struct cJSON *o = json_object();
        json_text(o, "kind", "handler");
        json_text(o, "name", h->name);
        json_int(o, "calls", h->calls);
        json_int(o, "errors", h->errors);
        json_int(o, "self_ns", h->self_ns);
        json_int(o, "max_ns", h->max_ns);
        json_int(o, "since_unix_ns", h->since_unix_ns);
        err = json_print(stdout, o);
    }
    return err;
}

/* ---- the screen ---------------------------------------------------------- */

static size_t lines_of_terminal(void)
{
    struct winsize size;
    int lines = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row
                    ? size.ws_row
                    : LINES;
    return lines > HEAD_LINES + 4 ? (size_t)(lines - HEAD_LINES - 1) : 4;
}

/* One picture over the one before, line by line: nothing flickers. */
static int draw(struct screen *s)
{
    char *text = NULL;
    size_t len = 0;
    struct term *term = &s->view.term;
    term_detect(term, stdout); /* it may have another width now */
    term->out = open_memstream(&text, &len);
    if (!term->out)
        return -ENOMEM;
    int err = print_text(s, lines_of_terminal());
    fclose(term->out);
    term->out = stdout;
    fputs("\033[H", stdout);
    for (char *at = text; at && *at;) {
        size_t n = strcspn(at, "\n");
        fwrite(at, 1, n, stdout);
        fputs("\033[K\n", stdout);
        at += n + (at[n] == '\n');
    }
    fputs("\033[J", stdout);
    fflush(stdout);
    free(text);
    return err;
}

static int show(struct screen *s)
{
    bool is_screen = s->view.term.is_tty && !s->once && !s->view.json;
    int err = 0;
    if (is_screen)
        fputs("\033[2J", stdout);
    do {
        err = top_take(&s->view, &s->top,
                       is_screen ? (int64_t)lines_of_terminal() : LIMIT);
        if (!err && s->view.json)
            err = print_json(s);
        else if (!err && is_screen)
            err = draw(s);
        else if (!err)
            err = print_text(s, LIMIT);
        if (!err && is_screen)
            nanosleep(&(struct timespec){.tv_sec = s->every_s}, NULL);
    } while (!err && is_screen);
    return err;
}

int cmd_top(int argc, char **argv)
{
    struct screen s = {.view = VIEW_INIT, .every_s = 2};
    s.top.client.fd = -1;
    const struct option_spec specs[] = {
        {"json", 0, OPTION_FLAG, NULL, "one JSON object a line, once",
         &s.view.json},
        {"store", 0, OPTION_TEXT, "FILE", "another store", &s.view.store},
        {"once", '1', OPTION_FLAG, NULL, "print it once, and end", &s.once},
        {"every", 0, OPTION_NUMBER, "SECONDS", "look again after so long (2)",
         &s.every_s},
    };
    const struct options o = {
        .command = "handspan top",
        .operands = "",
        .about =
            "What is open now in all traced programs: calls by age with where "
            "they stand,\noverdue ones first; then handlers by time and rate. "
            "On a terminal drawn again\nin place, until Ctrl-C; else once.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    if (s.every_s < 1 || s.every_s > 3600)
        return options_trouble("--every=%lld: 1 to 3600 seconds",
                               (long long)s.every_s);
    int status = view_open(&s.view, false);
    int err = status ? 0 : show(&s);
    if (err)
        status = options_trouble("cannot tell what goes on: %s",
                                 err == -EIO ? query_error(s.view.db)
                                             : strerror(-err));
    top_free(&s.top);
    view_close(&s.view);
    return status;
}
