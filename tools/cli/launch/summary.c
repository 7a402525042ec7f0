/* SPDX-License-Identifier: Apache-2.0 */
/* End summary: how it ended, where the time went, the first error or how to
 * see more. */
#include "tools/cli/launch/summary.h"
#include "tools/cli/launch/advice.h"
#include "tools/cli/check/seen.h"
#include "tools/cli/screen/share.h"
#include "tools/cli/screen/stats.h"
#include "tools/common/text/format.h"
#include "tools/common/text/text.h"
#include "tools/query/failure.h"
#include <errno.h>
#include <string.h>

enum {
    HANDLERS_SHOWN = 3,
    UNBOUND_SHOWN = 4,
    REST_PERCENT = 50, /* of the time outside of handlers that is told */
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

/* Where the time went: on the critical path, which waiting for work is no part
 * of. Where calls have no span nobody knows which of them are on it; the
 * rollups have their own time. */
static bool is_by_path(const struct stats *s)
{
    return stats_dropped(s) == 0;
}

static int64_t time_of(const struct stats *s, const struct stats_row *r)
{
    return is_by_path(s) ? r->critical_ns : r->self_ns;
}

/* The handler with the most time below `most` that was not shown yet; the rows
 * stand by their own time. NULL: none is left. */
static const struct stats_row *next_row(const struct stats *s,
                                        const struct stats_row *last)
{
    const struct stats_row *best = NULL;
    for (size_t i = 0; i < s->count; i++) {
        const struct stats_row *r = &s->rows[i];
        bool is_shown =
            last && (time_of(s, r) > time_of(s, last) ||
                     (time_of(s, r) == time_of(s, last) && r <= last));
        if (!r->is_rest && !r->is_loading && !is_shown &&
            (!best || time_of(s, r) > time_of(s, best)))
            best = r;
    }
    return best;
}

static void put_time(struct term_line *l, const struct stats *s,
                     const struct stats_row *r)
{
    term_line_text(l, TERM_PLAIN, r->name, 24);
    term_line_printf(l, TERM_PLAIN, " %s%s", r->is_estimate ? "~" : "",
                     format_share(time_of(s, r), s->wall_ns).text);
}

/* What is not in handlers, where that is most of it. */
static void put_rest(struct term_line *l, const struct view *v,
                     const struct stats *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct stats_row *r = &s->rows[i];
        if ((r->is_rest || r->is_loading) &&
            time_of(s, r) > s->wall_ns / 100 * REST_PERCENT) {
            term_line_printf(l, TERM_PLAIN, " %s ", v->term.glyphs->dot);
            put_time(l, s, r);
        }
    }
}

static void print_time(const struct view *v, const struct stats *s)
{
    struct term_line l;
    const struct stats_row *r = NULL;
    int shown = 0;
    int64_t dropped = stats_dropped(s);
    term_line_init(&l, &v->term);
    term_line_printf(&l, TERM_DIM, "  time   ");
    while (shown < HANDLERS_SHOWN && (r = next_row(s, r))) {
        if (shown++)
            term_line_printf(&l, TERM_PLAIN, " %s ", v->term.glyphs->dot);
        put_time(&l, s, r);
    }
    if (shown) {
        put_rest(&l, v, s);
        term_line_printf(&l, TERM_DIM, "  (%s) %s ",
                         is_by_path(s) ? "critical path" : "self",
                         v->term.glyphs->dot);
    }
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

static void put_error(struct term_line *l, const char *name, const char *text)
{
    term_line_printf(l, TERM_DIM, "  error  ");
    term_line_text(l, TERM_RED, name, -1);
    term_line_printf(l, TERM_RED, ": ");
    int room = l->term->width - l->column;
    term_line_text(l, TERM_PLAIN, text, room > 20 ? room : 20);
}

/* What failed first of a trace that failed: of calls that fail because of each
 * other the innermost. False: nothing is known of that. */
static bool put_first(struct term_line *l, struct query_failure *f)
{
    char *text = f->reason ? strstr(f->reason, ": ") : NULL;
    if (!text)
        return false;
    *text = 0;
    put_error(l, f->reason, text + 2);
    return true;
}

static void print_error(const struct view *v, const struct query_trace *t,
                        const struct stats *s)
{
    struct first_error e = {.stats = s};
    struct query_failure f = {0};
    struct term_line l;
    char id[9];
    buf_init(&e.line, 4096);
    term_line_init(&l, &v->term);
    if (query_failure_load(v->db, t, &f) == 0 && put_first(&l, &f)) {
        ;
    } else if (t->errors > 0 &&
               query_spans(v->db, t->trace, false, take_error, &e) == 1) {
        put_error(&l, e.name, buf_get(&e.line));
    } else {
        term_line_printf(&l, TERM_DIM, "  more   ");
        term_line_printf(&l, TERM_PLAIN, "handspan show %s",
                         view_short_id(t, id));
    }
    term_line_end(&l);
    if (f.late) {
        term_line_printf(&l, TERM_DIM, "  late   ");
        int room = v->term.width - l.column;
        term_line_text(&l, TERM_YELLOW, f.late, room > 20 ? room : 20);
        term_line_end(&l);
    }
    term_line_free(&l);
    query_failure_free(&f);
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

/* What is missing of what the manifest names, by the first names of it. */
static void put_unbound(FILE *out, const struct seen_list *list, size_t unbound,
                        const char *id)
{
    size_t shown = 0;
    fprintf(out, "handspan: not bound: ");
    for (size_t i = 0; i < list->count && shown < UNBOUND_SHOWN; i++)
        if (list->at[i].status == BINDING_NONE)
            fprintf(out, "%s%s", shown++ ? ", " : "",
                    text_shown(seen_name(&list->at[i])).text);
    if (unbound > shown)
        fprintf(out, " and %zu more", unbound - shown);
    fprintf(out, ". Why: handspan check --trace %s\n", id);
}

static void say_nothing(const struct view *v, const struct query_trace *t,
                        FILE *out)
{
    struct query_detail d = {0};
    struct seen_list list = {0};
    size_t unbound;
    char id[9];
    if (query_detail_load(v->db, t->trace, &d) != 0 ||
        seen_load(&d, &list) != 0)
        ;
    else if (is_nothing(&list, &unbound))
        put_nothing(out, list.count, unbound, view_short_id(t, id));
    else if (unbound)
        put_unbound(out, &list, unbound, view_short_id(t, id));
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
