/* SPDX-License-Identifier: Apache-2.0 */
/* What was slow: the limit of each handler stands in its site, the number of
 * calls beyond it in its totals. See slow.h. */
#include "tools/cli/screen/slow.h"
#include "tools/common/text/buf.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include "tools/query/tree.h"
#include <string.h>

enum {
    OVERDUE_LINES = 5,
};

bool slow_is(const struct query_site *site, int64_t duration_ns)
{
    return site && site->slow_ns > 0 && duration_ns > site->slow_ns;
}

/* "Overdue: extract: overdue("30s"): waiting in read(4), in load_csv at
 * load.c:42; it ended after 41s." */
static void print_overdue(const struct term *term,
                          const struct query_overdue *o)
{
    struct buf text;
    buf_init(&text, 8192);
    buf_printf(&text, "Overdue: %s: ", o->name ? o->name : "?");
    query_error_line(o->detail ? o->detail : "{}", true, &text);
    if (o->duration_ns >= 0)
        buf_printf(&text, "; it ended after %s",
                   format_duration(o->duration_ns, term->utf8).text);
    else if (o->status && strcmp(o->status, "open") == 0)
        buf_text(&text, "; still open");
    buf_char(&text, '.');
    term_wrap(term, TERM_YELLOW, buf_get(&text), 2);
    buf_free(&text);
}

void slow_print_throws(const struct term *term, const struct query_detail *d)
{
    struct buf text;
    buf_init(&text, 16384);
    for (size_t i = 0; i < d->throw_count; i++) {
        const struct query_throw *t = &d->throws[i];
        buf_printf(&text, "%s%s %s %s",
                   i ? ", " : "Thrown below handlers, caught or not: ",
                   t->name ? t->name : "(no handler)",
                   format_count(t->count).text, t->type ? t->type : "?");
    }
    buf_char(&text, '.');
    if (d->throw_count)
        term_wrap(term, TERM_YELLOW, buf_get(&text), 2);
    buf_free(&text);
}

void slow_overdue_one_json(struct cJSON *to, const struct query_overdue *o)
{
    if (!o) {
        json_null(to, "overdue");
        return;
    }
    struct cJSON *x = json_object();
    json_int(x, "at_unix_ns", o->at_unix_ns);
    json_int(x, "limit_ns", o->limit_ns);
    json_raw(x, "where", o->detail, "null");
    json_object_add(to, "overdue", x);
}

void slow_overdue_json(struct cJSON *to, const struct query_detail *d)
{
    struct cJSON *list = json_array();
    for (size_t i = 0; i < d->overdue_count; i++) {
        const struct query_overdue *o = &d->overdues[i];
        struct cJSON *x = json_object();
        json_text(x, "name", o->name);
        json_id(x, "span_id", query_span_id(d, o->session, o->ref));
        json_int(x, "start_unix_ns", o->start_unix_ns);
        json_int(x, "at_unix_ns", o->at_unix_ns);
        json_int(x, "limit_ns", o->limit_ns);
        json_text(x, "status", o->status);
        json_count(x, "duration_ns", o->duration_ns);
        json_raw(x, "where", o->detail, "null");
        json_append(list, x);
    }
    json_object_add(to, "overdue", list);
}

void slow_print(const struct term *term, const struct query_detail *d)
{
    struct buf text;
    int shown = 0;
    buf_init(&text, 16384);
    for (size_t i = 0; i < d->rollup_count; i++) {
        const struct query_rollup *r = &d->rollups[i];
        const struct query_site *s = query_site_find(d, r->session, r->site);
        if (!s || s->slow_ns <= 0 || r->slow_calls == 0)
            continue;
        buf_printf(&text, "%s%s %s of %s call%s over %s",
                   shown++ ? ", " : "Slow: ", s->name ? s->name : "?",
                   format_count(r->slow_calls).text,
                   format_count(r->calls).text, r->calls == 1 ? "" : "s",
                   format_duration(s->slow_ns, term->utf8).text);
    }
    buf_char(&text, '.');
    if (shown)
        term_wrap(term, TERM_YELLOW, buf_get(&text), 2);
    buf_free(&text);
    for (size_t i = 0; i < d->overdue_count && i < OVERDUE_LINES; i++)
        print_overdue(term, &d->overdues[i]);
    if (d->overdue_count > OVERDUE_LINES)
        fprintf(term->out, "Overdue: %zu more.\n",
                d->overdue_count - OVERDUE_LINES);
}
