/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan spans: every stored call of a trace, in order of start; its
 * processes first, since they are spans as well. The keys of --json are those
 * of the design, always all of them.
 */
#include "tools/cli/command/commands.h"
#include "tools/cli/rows/rows.h"
#include "tools/cli/screen/share.h"
#include "tools/cli/screen/slow.h"
#include "tools/cli/screen/view.h"
#include "tools/cli/screen/where.h"
#include "tools/common/text/apart.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include "tools/common/text/text.h"
#include "tools/query/tree.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct spans {
    struct view *view;
    const struct query_trace *trace;
    struct query_detail detail;
    struct where_condition conditions[WHERE_MAX];
    int condition_count;
    int *how; /* each site's name is cut; NULL: not known */
    int64_t seen;
    struct term_line line;
};

/* As object("...") of the manifest: without a slash the base name is meant. */
static const char *object_of(const struct row_span *r, const char *wanted)
{
    const char *path = r->site ? r->site->object : NULL;
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash && !strchr(wanted, '/') ? slash + 1 : path;
}

/* What a call has of a key. */
static struct where_fact fact_of(const struct row_span *r,
                                 const struct where_condition *c)
{
    const struct query_span *p = r->span;
    const struct query_site *site = r->site;
    const struct {
        const char *key, *text;
        int64_t number;
    } has[] = {{"name", r->name, -1},
               {"symbol", site ? site->symbol : NULL, -1},
               {"object", object_of(r, c->value), -1},
               {"status", p->status, -1},
               {"ended_by", p->ended_by, -1},
               {"duration", NULL, p->duration_ns},
               {"self", NULL, p->self_ns},
               {"cpu", NULL, p->cpu_ns},
               {"queue", NULL, p->queue_ns},
               {"started", NULL, p->start_unix_ns},
               {"depth", NULL, site ? p->depth : -1},
               {"input.", p->input, -1},
               {"output.", p->output, -1},
               {"attr.", p->attributes, -1},
               {"pid", NULL, r->process ? r->process->pid : -1},
               {"thread_name", r->thread_name, -1},
               {"tid", NULL, r->tid}};
    for (size_t i = 0; i < sizeof has / sizeof *has; i++)
        if (strcmp(c->key->name, has[i].key) == 0)
            return (struct where_fact){has[i].text, NULL, has[i].number};
    return (struct where_fact){NULL, NULL, -1};
}

static bool matches(const struct spans *s, const struct row_span *r)
{
    for (int i = 0; i < s->condition_count; i++)
        if (!where_holds(&s->conditions[i], fact_of(r, &s->conditions[i])))
            return false;
    return true;
}

/* ---- text -------------------------------------------------------------- */

enum {
    COLUMN_NAME = 19,
};

static void put_values(struct term_line *l, const char *label, const char *json)
{
    if (!json || strcmp(json, "{}") == 0)
        return;
    int room = l->term->width - l->column - 2;
    if (room < 12)
        return;
    term_line_glyph(l, TERM_DIM, label, (int)strlen(label));
    room = l->term->width - l->column;
    struct buf cut; /* head only: the ends of a JSON object tell nothing */
    buf_init(&cut, 4096);
    buf_add(&cut, json, strnlen(json, 4000));
    int all = text_columns(buf_get(&cut), l->term->utf8);
    if (all > room) {
        const char *text = buf_get(&cut);
        size_t keep = 0;
        for (int i = 0; i < room - 1 && text[keep]; i++)
            do
                keep++;
            while ((text[keep] & 0xc0) == 0x80);
        cut.text[keep] = 0;
        term_line_text(l, TERM_PLAIN, cut.text, -1);
        term_line_glyph(l, TERM_DIM, l->term->utf8 ? "\u2026" : ">", 1);
    } else {
        term_line_text(l, TERM_PLAIN, buf_get(&cut), -1);
    }
    buf_free(&cut);
}

/* Not cut off, but the last thing that its program did. */
static bool has_execed(const struct query_span *p)
{
    return p->status && strcmp(p->status, "unfinished") == 0 && p->ended_by &&
           strcmp(p->ended_by, "exec") == 0;
}

static void print_text(struct spans *s, const struct row_span *r)
{
    struct term_line *l = &s->line;
    const struct query_span *p = r->span;
    bool utf8 = l->term->utf8;
    bool failed = p->status && strcmp(p->status, "error") == 0;
    int64_t at = p->start_unix_ns - s->trace->start_unix_ns;
    term_line_printf(l, TERM_DIM, "%s%7s", at < 0 ? "-" : "+",
                     format_duration(at < 0 ? -at : at, utf8).text);
    term_line_right(l, TERM_PLAIN, format_duration(p->duration_ns, utf8).text,
                    15);
    term_line_pad(l, 16);
    term_line_glyph(l, TERM_RED, failed ? "!" : " ", 1);
    term_line_pad(l, COLUMN_NAME - 1);
    int how = s->how && r->site ? s->how[r->site - s->detail.sites] : APART_CUT;
    term_line_name(l, TERM_BOLD, r->name, l->term->width / 3, how);
    if (has_execed(p))
        term_line_text(l, TERM_CYAN, " ended by exec", -1);
    else if (p->status && strcmp(p->status, "ok") != 0 && !failed)
        term_line_printf(l, TERM_YELLOW, " %s", p->status);
    if (failed && p->error) {
        struct buf why;
        buf_init(&why, 4096);
        query_error_line(p->error, false, &why);
        int room = l->term->width - l->column - 1;
        term_line_pad(l, l->column + 1);
        if (room > 8)
            term_line_text(l, TERM_RED, buf_get(&why), room);
        buf_free(&why);
    }
    if (slow_is(r->site, p->duration_ns))
        term_line_text(l, TERM_YELLOW, " slow", -1);
    if (query_overdue_find(&s->detail, p->session, p->ref))
        term_line_text(l, TERM_YELLOW, " overdue", -1);
    if (p->ended_by && strcmp(p->ended_by, "event") == 0)
        term_line_text(l, TERM_DIM, " event", -1);
    put_values(l, "  in ", p->input);
    put_values(l, "  out ", p->output);
    if (r->site)
        put_values(l, "  attr ", p->attributes);
    term_line_end(l);
}

static int put(void *context, const struct row_span *r)
{
    struct spans *s = context;
    if (!matches(s, r))
        return 0;
    s->seen++;
    int err = 0;
    if (s->view->json)
        err = row_span(stdout, s->trace, &s->detail, r);
    else
        print_text(s, r);
    return err ? err : s->view->limit && s->seen >= s->view->limit ? 1 : 0;
}

static int put_span(void *context, const struct query_span *span)
{
    struct spans *s = context;
    struct row_span r = row_span_of(&s->detail, span);
    return put(s, &r);
}

static int parse_where(struct spans *s)
{
    struct view *v = s->view;
    v->where_copy = v->where ? strdup(v->where) : NULL;
    if (v->where_copy)
        s->condition_count =
            where_parse(v->where_copy, "spans", where_span_keys,
                        format_now_ns(), s->conditions);
    return s->condition_count < 0 ? EXIT_TROUBLE : 0;
}

static void cut_names(struct spans *s)
{
    size_t count = s->detail.site_count;
    const char **names = calloc(count + 1, sizeof *names);
    s->how = malloc((count + 1) * sizeof *s->how);
    for (size_t i = 0; names && i < count; i++)
        names[i] = s->detail.sites[i].name ? s->detail.sites[i].name : "?";
    if (names && s->how)
        apart_find(names, count, s->view->term.width / 3, s->view->term.utf8,
                   s->how);
    else
        free(s->how), s->how = NULL;
    free(names);
}

static int print(struct spans *s, const struct query_trace *trace)
{
    struct view *v = s->view;
    struct share_sum sum = {0};
    s->trace = trace;
    term_line_init(&s->line, &v->term);
    int err = query_detail_load(v->db, trace->trace, &s->detail);
    if (!err)
        cut_names(s);
    share_sum_add(&sum, trace);
    if (!err && v->json)
        err = share_print_schema(stdout, v->db, &sum);
    else if (!err)
        printf("%s %s\n", text_shown(trace->name ? trace->name : "?").text,
               trace->hex);
    for (size_t i = 0; !err && i < s->detail.process_count; i++)
        if (s->detail.processes[i].trace == trace->trace)
            err = row_process(&s->detail, &s->detail.processes[i], put, s);
    if (!err)
        err = query_spans(v->db, trace->trace, true, put_span, s);
    if (err == 1 && !v->json)
        printf("The first %lld; more with --limit=N.\n", (long long)s->seen);
    if (err >= 0 && !v->json)
        share_sum_print(&v->term, v->db, &sum);
    term_line_free(&s->line);
    free(s->how);
    query_detail_free(&s->detail);
    if (err < 0)
        return options_trouble("cannot read the store: %s", strerror(-err));
    return s->seen ? EXIT_FINE : EXIT_FOUND;
}

int cmd_spans(int argc, char **argv)
{
    struct view v = VIEW_INIT;
    const struct option_spec specs[] = {
        VIEW_OPTIONS(v),
        {"limit", 'n', OPTION_NUMBER, "N", "at most N spans", &v.limit},
    };
    const struct options o = {
        .command = "handspan spans",
        .operands = "[TRACE]",
        .about = "The calls of a trace, one a line: when (from the start of "
                 "the trace), how long,\nname, why it failed, input and "
                 "output. --where here selects spans:\n  --where "
                 "'name=extract and duration>2s and input.path~\"*.csv\"'\n"
                 "Keys: name, symbol, object (without a slash the base name), "
                 "status, ended_by,\nthread_name (globs); duration, self, cpu, "
                 "queue (2s, 250ms), started (2h, date),\ndepth, pid, tid; "
                 "input.NAME, output.NAME, attr.NAME. = and ~ take a glob; "
                 "then\nthere are !=, <, <=, >, >=.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
        .operand_max = 1};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    struct spans s = {.view = &v};
    int64_t limit = v.limit;
    v.limit = 0;
    int status = parse_where(&s);
    if (!status)
        status = view_open(&v, true);
    v.limit = limit;
    struct query_trace trace = {0};
    if (!status)
        status = view_choose(&v, operands ? argv[0] : NULL, &trace);
    if (!status) {
        view_page(&v);
        status = print(&s, &trace);
        query_trace_free(&trace);
    }
    view_close(&v);
    return status;
}
