/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan spans: every stored call of a trace, in order of start; its
 * processes first, since they are spans as well. The keys of --json are those
 * of the design, always all of them.
 */
#include "tools/cli/command/commands.h"
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

struct row { /* a span with what its numbers mean */
    const struct query_span *span;
    const struct query_site *site;
    const struct query_session *session;
    const struct query_process *process;
    int64_t tid;
    const char *thread_name, *name;
};

/* As object("...") of the manifest: without a slash the base name is meant. */
static const char *object_of(const struct row *r, const char *wanted)
{
    const char *path = r->site ? r->site->object : NULL;
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash && !strchr(wanted, '/') ? slash + 1 : path;
}

static bool matches(const struct spans *s, const struct row *r)
{
    char tid[24];
    snprintf(tid, sizeof tid, "%lld", (long long)r->tid);
    for (int c = 0; c < s->condition_count; c++) {
        const struct where_condition *is = &s->conditions[c];
        const struct {
            const char *key, *value;
        } has[] = {{"name", r->name},
                   {"symbol", r->site ? r->site->symbol : NULL},
                   {"object", object_of(r, is->value)},
                   {"status", r->span->status},
                   {"ended_by", r->span->ended_by},
                   {"thread_name", r->thread_name},
                   {"tid", tid}};
        for (size_t i = 0; i < sizeof has / sizeof *has; i++)
            if (strcmp(is->key, has[i].key) == 0 &&
                !query_glob(is->value, has[i].value))
                return false;
    }
    return true;
}

/* ---- JSON -------------------------------------------------------------- */

static void add_error(struct cJSON *to, const char *error)
{
    static const char *const members[] = {
        "kind",  "type",   "rule",  "return_value", "errno",      "message",
        "cause", "origin", "stack", "stderr",       "fingerprint"};
    /* only where there is something to say */
    static const char *const more[] = {"stack_ended", "origin_ended", "left_by",
                                       "withheld"};
    if (!error) {
        json_null(to, "error");
        return;
    }
    struct cJSON *o = json_object();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        int len;
        const char *raw = json_member(error, members[i], &len);
        char *copy = raw ? strndup(raw, (size_t)len) : NULL;
        json_raw(o, members[i], copy, "null");
        free(copy);
    }
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        int len;
        const char *raw = json_member(error, more[i], &len);
        char *copy = raw ? strndup(raw, (size_t)len) : NULL;
        if (copy)
            json_raw(o, more[i], copy, "null");
        free(copy);
    }
    json_object_add(to, "error", o);
}

static int print_json(const struct spans *s, const struct row *r)
{
    const struct query_span *p = r->span;
    const struct query_detail *d = &s->detail;
    bool ended = p->status && strcmp(p->status, "open") != 0 &&
                 strcmp(p->status, "unfinished") != 0;
    struct cJSON *o = json_object();
    json_text(o, "trace_id", s->trace->hex);
    json_id(o, "span_id", query_span_id(d, p->session, p->ref));
    json_id(o, "parent_span_id",
            query_parent_span_id(d, p->session, p->ref, p->parent_ref));
    json_raw(o, "links", p->links, "[]");
    json_text(o, "orphan", p->orphan);
    json_text(o, "name", r->name);
    json_text(o, "symbol", r->site ? r->site->symbol : NULL);
    json_text(o, "object",
              r->site      ? r->site->object
              : r->process ? r->process->program
                           : NULL);
    json_text(o, "service", r->session ? r->session->service : NULL);
    json_text(o, "host", r->session ? r->session->host : NULL);
    json_id(o, "session", r->session ? r->session->key : 0);
    json_count(o, "pid", r->process ? r->process->pid : -1);
    json_count(o, "tid", r->tid);
    json_text(o, "thread_name", r->thread_name);
    json_text(o, "started_at", format_rfc3339(p->start_unix_ns).text);
    json_int(o, "start_unix_ns", p->start_unix_ns);
    json_count(o, "duration_ns", p->duration_ns);
    json_count(o, "self_ns", p->self_ns);
    json_count(o, "cpu_ns", p->cpu_ns);
    json_count(o, "queue_ns", p->queue_ns);
    json_text(o, "status", p->status);
    json_bool(o, "slow", slow_is(r->site, p->duration_ns));
    slow_overdue_one_json(o, query_overdue_find(d, p->session, p->ref));
    json_text(o, "ended_by", p->ended_by);
    json_raw(o, "input", p->input, "{}");
    json_raw(o, "output", p->output, ended ? "{}" : "null");
    json_raw(o, "attributes", p->attributes, "{}");
    json_raw(o, "capture", p->capture, "{}");
    add_error(o, p->error);
    return json_print(stdout, o);
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

static void print_text(struct spans *s, const struct row *r)
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
    if (p->status && strcmp(p->status, "ok") != 0 && !failed)
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

static int put(struct spans *s, const struct row *r)
{
    if (!matches(s, r))
        return 0;
    s->seen++;
    int err = 0;
    if (s->view->json)
        err = print_json(s, r);
    else
        print_text(s, r);
    return err ? err : s->view->limit && s->seen >= s->view->limit ? 1 : 0;
}

static int put_span(void *context, const struct query_span *span)
{
    struct spans *s = context;
    const struct query_detail *d = &s->detail;
    struct row r = {.span = span,
                    .site = query_site_find(d, span->session, span->site),
                    .session = query_session_find(d, span->session),
                    .process =
                        query_process_find(d, span->session, span->process_idx),
                    .tid = -1};
    const struct query_thread *t =
        query_thread_find(d, span->session, span->ref, span->generation);
    if (t) {
        r.tid = t->tid;
        r.thread_name = t->name;
    }
    r.name = r.site && r.site->name ? r.site->name : "?";
    return put(s, &r);
}

/* What a process span has beyond others stands in its attributes. */
static int put_process(struct spans *s, const struct query_process *p)
{
    char attributes[192], *input = NULL;
    snprintf(attributes, sizeof attributes,
             "{\"exit_code\":%lld,\"signal\":%lld,\"peak_bytes\":%lld}",
             (long long)p->exit_code, (long long)p->signal,
             (long long)p->peak_bytes);
    for (char *minus; (minus = strstr(attributes, ":-1"));) {
        memmove(minus + 5, minus + 3, strlen(minus + 3) + 1);
        memcpy(minus, ":null", 5);
    }
    if (p->command && asprintf(&input, "{\"command\":%s}", p->command) < 0)
        input = NULL;
    struct query_span span = {.start_unix_ns = p->start_unix_ns,
                              .session = p->session,
                              .ref = query_process_ref(p->idx),
                              .parent_ref = query_process_parent(p),
                              .site = -1,
                              .duration_ns = p->duration_ns,
                              .self_ns = -1,
                              .cpu_ns = p->cpu_ns,
                              .queue_ns = -1,
                              .status = p->status,
                              .ended_by = p->ended_by,
                              .attributes = attributes,
                              .input = input};
    struct row r = {.span = &span,
                    .session = query_session_find(&s->detail, p->session),
                    .process = p,
                    .tid = p->pid,
                    .name = p->name ? p->name : "?"};
    int err = put(s, &r);
    free(input);
    return err;
}

static int parse_where(struct spans *s)
{
    struct view *v = s->view;
    v->where_copy = v->where ? strdup(v->where) : NULL;
    if (v->where_copy)
        s->condition_count =
            where_parse(v->where_copy, "spans", where_span_keys, s->conditions);
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
        err = share_print_schema(v->db, &sum);
    else if (!err)
        printf("%s %s\n", text_shown(trace->name ? trace->name : "?").text,
               trace->hex);
    for (size_t i = 0; !err && i < s->detail.process_count; i++)
        if (s->detail.processes[i].trace == trace->trace)
            err = put_process(s, &s->detail.processes[i]);
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
                 "output. --where here selects spans: name, symbol,\nobject, "
                 "status, ended_by, thread_name, tid; values are globs, and an "
                 "object\nwithout a slash is the base name.",
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
        status = print(&s, &trace);
        query_trace_free(&trace);
    }
    view_close(&v);
    return status;
}
