/* SPDX-License-Identifier: Apache-2.0 */
/* End summary: how it ended, where the time went, the first error or how to
 * see more. */
#include "tools/cli/launch/summary.h"
#include "tools/cli/launch/advice.h"
#include "tools/cli/check/seen.h"
#include "tools/cli/screen/share.h"
#include "tools/cli/screen/stats.h"
#include "tools/common/text/format.h"
#include <errno.h>
#include <string.h>

enum {
    HANDLERS_SHOWN = 3
};

static void print_result(const struct view *v, const struct query_trace *t)
{
    struct view_outcome outcome = view_outcome(t);
    struct format_text duration = format_duration(t->duration_ns, v->term.utf8);
    bool failed = t->status && strcmp(t->status, "error") == 0;
    struct term_line l;
    term_line_init(&l, &v->term);
    term_line_printf(&l, TERM_PLAIN, "handspan: ");
    if (t->signal > 0)
        term_line_printf(&l, outcome.style, "%s after %s", outcome.text,
                         duration.text);
    else if (t->exit_code > 0)
        term_line_printf(&l, outcome.style, "%s after %s, exit status %d%s",
                         failed ? "failed" : "done", duration.text,
                         (int)t->exit_code, outcome.text + outcome.others_at);
    else
        term_line_printf(&l, outcome.style, "%s after %s%s",
                         failed                                ? "failed"
                         : strncmp(outcome.text, "ok", 2) == 0 ? "done"
                                                               : outcome.text,
                         duration.text,
                         failed || strncmp(outcome.text, "ok", 2) == 0
                             ? outcome.text + outcome.others_at
                             : "");
    char id[9];
    term_line_printf(&l, TERM_PLAIN, " - trace ");
    term_line_text(&l, TERM_BOLD, view_short_id(t, id), -1);
    term_line_end(&l);
    term_line_free(&l);
}

/* A server's work is in the traces of its requests. */
static void print_requests(const struct view *v, const struct query_requests *r)
{
    struct term_line l;
    term_line_init(&l, &v->term);
    term_line_printf(&l, TERM_DIM, "  time   ");
    term_line_printf(&l, TERM_PLAIN,
                     "%s trace%s of its own, %s span%s: handspan list",
                     format_count(r->traces).text, r->traces == 1 ? "" : "s",
                     format_count(r->calls).text, r->calls == 1 ? "" : "s");
    term_line_end(&l);
    term_line_free(&l);
}

static void print_failed_requests(const struct view *v,
                                  const struct query_requests *r)
{
    struct term_line l;
    term_line_init(&l, &v->term);
    term_line_printf(&l, TERM_DIM, "  error  ");
    term_line_printf(&l, TERM_RED, "%s of %s traces of its own failed",
                     format_count(r->failed).text,
                     format_count(r->traces).text);
    term_line_printf(&l, TERM_PLAIN, ": handspan list --where status=error");
    term_line_end(&l);
    term_line_free(&l);
}

static void print_time(const struct view *v, const struct stats *s)
{
    struct term_line l;
    int shown = 0;
    int64_t dropped = stats_dropped(s);
    term_line_init(&l, &v->term);
    term_line_printf(&l, TERM_DIM, "  time   ");
    for (size_t i = 0; i < s->count && shown < HANDLERS_SHOWN; i++) {
        if (s->rows[i].is_rest || s->rows[i].is_loading)
            continue;
        if (shown++)
            term_line_printf(&l, TERM_PLAIN, " %s ", v->term.glyphs->dot);
        term_line_text(&l, TERM_PLAIN, s->rows[i].name, 24);
        term_line_printf(&l, TERM_PLAIN, " %s%s",
                         s->rows[i].is_estimate ? "~" : "",
                         format_share(s->rows[i].self_ns, s->wall_ns).text);
    }
    if (shown)
        term_line_printf(&l, TERM_DIM, "  (self) %s ", v->term.glyphs->dot);
    term_line_printf(&l, TERM_PLAIN, "%s span%s",
                     format_count(s->span_count).text,
                     s->span_count == 1 ? "" : "s");
    if (dropped > 0)
        term_line_printf(&l, TERM_YELLOW, ", %s calls without detail",
                         format_count(dropped).text);
    term_line_end(&l);
    term_line_free(&l);
}

struct first_error {
    char name[64];
    struct buf line;
    const struct stats *stats;
};

static int take_error(void *context, const struct query_span *span)
{
    struct first_error *e = context;
    if (!span->error)
        return 0;
    const struct query_site *site =
        query_site_find(&e->stats->detail, span->session, span->site);
    snprintf(e->name, sizeof e->name, "%s",
             site && site->name ? site->name : "?");
    query_error_line(span->error, false, &e->line);
    return 1;
}

static void print_error(const struct view *v, const struct query_trace *t,
                        const struct stats *s)
{
    struct first_error e = {.stats = s};
    struct term_line l;
    buf_init(&e.line, 4096);
    term_line_init(&l, &v->term);
    if (t->errors > 0 &&
        query_spans(v->db, t->trace, false, take_error, &e) == 1) {
        term_line_printf(&l, TERM_DIM, "  error  ");
        term_line_printf(&l, TERM_RED, "%s: ", e.name);
        int room = v->term.width - l.column;
        term_line_text(&l, TERM_PLAIN, buf_get(&e.line), room > 20 ? room : 20);
    } else {
        char id[9];
        term_line_printf(&l, TERM_DIM, "  more   ");
        term_line_printf(&l, TERM_PLAIN, "handspan show %s",
                         view_short_id(t, id));
    }
    term_line_end(&l);
    term_line_free(&l);
    buf_free(&e.line);
}

void summary_print(const char *store, const char *id, FILE *out)
{
    struct view v = VIEW_INIT;
    char why[256];
    struct query_choice c = {0};
    struct stats s;
    term_detect(&v.term, out);
    v.filter.pid = -1;
    if (query_open(store, &v.db, why, sizeof why) < 0)
        return;
    if (query_choose(v.db, id, &v.filter, &c, why, sizeof why) == 0) {
        print_result(&v, &c.found[0]);
        if (stats_load(&v, &c.found[0], &s) == 0) {
            struct query_requests r;
            (void)query_requests(v.db, c.found[0].session, &r);
            if (s.span_count > 0 || r.traces == 0)
                print_time(&v, &s);
            else
                print_requests(&v, &r);
            if (r.failed > 0)
                print_failed_requests(&v, &r);
            if (r.failed == 0 || c.found[0].errors > 0)
                print_error(&v, &c.found[0], &s);
            share_print(&v.term, &c.found[0], &s.detail, s.span_count);
            advice_print(&v.term, &s);
            stats_free(&s);
        }
    }
    query_choice_free(&c);
    view_close(&v);
}

/* False: something was recorded, or nothing was to be. */
static bool is_nothing(const struct seen_list *list, size_t *unbound)
{
    int64_t calls = 0;
    *unbound = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct seen *s = &list->at[i];
        calls += s->bound && !s->is_counted ? 1 : s->calls;
        *unbound += s->status == BINDING_NONE;
    }
    return list->count > 0 && calls == 0;
}

static void put_nothing(FILE *out, size_t handlers, size_t unbound,
                        const char *id)
{
    fputs("handspan: ", out);
    if (handlers == 1)
        fputs("the manifest's handler ", out);
    else
        fprintf(out, "none of the manifest's %zu handlers ", handlers);
    if (unbound == handlers)
        fprintf(out, handlers == 1 ? "is not bound" : "is bound");
    else
        fprintf(out, handlers == 1 ? "was not called" : "was called");
    if (unbound && unbound < handlers)
        fprintf(out, ", %zu %s not bound", unbound,
                unbound == 1 ? "is" : "are");
    fprintf(out, ": handspan check --trace %s\n", id);
}

static void say_nothing(const struct view *v, const struct query_trace *t,
                        FILE *out)
{
    struct query_detail d = {0};
    struct seen_list list = {0};
    size_t unbound;
    char id[9];
    if (query_detail_load(v->db, t->trace, &d) == 0 &&
        seen_load(&d, &list) == 0 && is_nothing(&list, &unbound))
        put_nothing(out, list.count, unbound, view_short_id(t, id));
    seen_free(&list);
    query_detail_free(&d);
}

void summary_nothing(const char *store, const char *id, FILE *out)
{
    struct view v = VIEW_INIT;
    char why[256];
    struct query_choice c = {0};
    v.filter.pid = -1;
    if (query_open(store, &v.db, why, sizeof why) < 0)
        return;
    if (query_choose(v.db, id, &v.filter, &c, why, sizeof why) == 0)
        say_nothing(&v, &c.found[0], out);
    query_choice_free(&c);
    view_close(&v);
}
