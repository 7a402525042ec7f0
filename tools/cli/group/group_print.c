/* SPDX-License-Identifier: Apache-2.0 */
/* Sums for people and as JSON lines; see group.h. */
#include "tools/cli/group/group.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include <stdio.h>
#include <string.h>

static const struct term_column columns[] = {
    {.title = NULL, .left = true, .shrinks = true},
    {.title = "CALLS"},
    {.title = "ERR"},
    {.title = "TOTAL"},
    {.title = "SELF"},
    {.title = "SHARE"},
    {.title = "CPU", .drop = 1},
    {.title = "P50"},
    {.title = "P95"},
    {.title = "MAX"},
};
enum {
    COLUMNS = sizeof columns / sizeof *columns
};

static void put_title(const struct group *g, char *out, size_t cap)
{
    static const char *const titles[] = {"HANDLER", "PATH",    "THREAD",
                                         "PROCESS", "DAY",     "HOUR",
                                         "input.",  "output.", "attr."};
    snprintf(out, cap, "%s%.100s", titles[g->by], g->key ? g->key : "");
}

static void add_row(struct term_table *table, const struct group_row *r,
                    int64_t all_ns, bool utf8)
{
    bool is_one = r->calls < 2; /* percentiles of one call: none */
    term_table_cell(table, 0, TERM_PLAIN, r->key);
    term_table_cell(table, 1, TERM_PLAIN, format_count(r->calls).text);
    term_table_cell(table, 2, r->errors ? TERM_RED : TERM_PLAIN,
                    format_count(r->errors).text);
    term_table_cell(table, 3, TERM_PLAIN,
                    format_duration(r->total_ns, utf8).text);
    term_table_cell(table, 4, TERM_PLAIN,
                    format_duration(r->self_ns, utf8).text);
    term_table_cell(table, 5, TERM_PLAIN,
                    format_share(r->self_ns, all_ns).text);
    term_table_cell(table, 6, TERM_PLAIN,
                    format_duration(r->cpu_ns, utf8).text);
    term_table_cell(table, 7, TERM_PLAIN,
                    format_duration(is_one ? -1 : r->p50_ns, utf8).text);
    term_table_cell(table, 8, TERM_PLAIN,
                    format_duration(is_one ? -1 : r->p95_ns, utf8).text);
    term_table_cell(table, 9, TERM_PLAIN,
                    format_duration(r->max_ns, utf8).text);
}

static void print_notes(const struct view *v, const struct group *g,
                        size_t limit)
{
    struct buf b;
    buf_init(&b, 1024);
    if (limit && g->count > limit)
        buf_printf(&b, "and %s more (--limit=0). ",
                   format_count((int64_t)(g->count - limit)).text);
    buf_text(&b, "SHARE is of the self time of all calls; p50 and p95 from a "
                 "log histogram, within 3%.");
    term_wrap(&v->term, TERM_DIM, buf_get(&b), 0);
    buf_reset(&b);
    if (g->without_key)
        buf_printf(&b, "%s calls have no such value. ",
                   format_count(g->without_key).text);
    if (g->dropped_calls)
        buf_printf(&b,
                   "%s calls have no detail and are not in these figures "
                   "(handspan list). ",
                   format_count(g->dropped_calls).text);
    if (b.len_bytes)
        term_wrap(&v->term, TERM_YELLOW, buf_get(&b), 0);
    buf_free(&b);
}

int group_print(const struct view *v, const struct group *g, size_t limit)
{
    struct term_table table;
    struct term_column head[COLUMNS];
    char title[128];
    int64_t all_ns = 0;
    memcpy(head, columns, sizeof head);
    put_title(g, title, sizeof title);
    head[0].title = title;
    for (size_t i = 0; i < g->count; i++)
        all_ns += g->row[i].self_ns;
    printf("%s trace%s %s %s call%s\n", format_count(g->traces).text,
           g->traces == 1 ? "" : "s", v->term.glyphs->dot,
           format_count(g->spans).text, g->spans == 1 ? "" : "s");
    term_table_init(&table, head, COLUMNS);
    for (size_t i = 0; i < g->count && (!limit || i < limit); i++)
        add_row(&table, &g->row[i], all_ns, v->term.utf8);
    int err = g->count ? term_table_print(&table, &v->term) : 0;
    term_table_free(&table);
    print_notes(v, g, limit);
    return err;
}

int group_print_json(const struct view *v, const struct group *g)
{
    char title[128];
    put_title(g, title, sizeof title);
    for (char *c = title; g->by < GROUP_INPUT && *c; c++)
        *c = (char)(*c | 0x20); /* as it was asked for */
    int err = share_print_schema(stdout, v->db, &g->sum);
    for (size_t i = 0; i < g->count && !err; i++) {
        const struct group_row *r = &g->row[i];
        struct cJSON *o = json_object();
        json_text(o, "by", title);
        json_text(o, "key", r->key);
        json_int(o, "calls", r->calls);
        json_int(o, "errors", r->errors);
        json_int(o, "total_ns", r->total_ns);
        json_int(o, "self_ns", r->self_ns);
        json_count(o, "cpu_ns", r->cpu_ns);
        json_count(o, "p50_ns", r->p50_ns);
        json_count(o, "p95_ns", r->p95_ns);
        json_int(o, "max_ns", r->max_ns);
        err = json_print(stdout, o);
    }
    return err;
}
