/* SPDX-License-Identifier: Apache-2.0 */
/* See advice.h. */
#include "tools/cli/launch/advice.h"
#include "tools/common/text/format.h"
#include "tools/common/text/text.h"
#include <string.h>

enum {
    CALLS_LEAST = 10000, /* fewer cost nothing that could be felt */
    CALLS_PERCENT = 50,  /* of all spans, at least */
    TIME_PERCENT = 5,    /* of the time, at most */
};

static bool is_costly(const struct stats *s, const struct stats_row *r,
                      int64_t calls)
{
    return !r->is_rest && !r->is_loading && r->calls >= CALLS_LEAST &&
           r->errors == 0 && r->slow_calls == 0 &&
           r->calls >= calls / 100 * CALLS_PERCENT &&
           r->self_ns <= s->wall_ns / 100 * TIME_PERCENT;
}

/* Its declaration; NULL: not known. */
static const struct query_site *site_of(const struct stats *s, const char *name)
{
    for (size_t i = 0; i < s->detail.site_count; i++) {
        const struct query_site *site = &s->detail.sites[i];
        if (site->name && strcmp(site->name, name) == 0 && site->manifest)
            return site;
    }
    return NULL;
}

static bool is_glob(const char *declared)
{
    return declared && strpbrk(declared, "*?[") != NULL;
}

/* How it is left out: its declaration, or the glob that means others, too. */
static void put_cure(struct term_line *l, const struct query_site *site)
{
    const char *slash = strrchr(site->manifest, '/');
    const char *file = slash ? slash + 1 : site->manifest;
    if (is_glob(site->declared))
        term_line_printf(l, TERM_PLAIN, " (narrow %.40s in %.60s)",
                         text_shown(site->declared).text,
                         text_shown(file).text);
    else
        term_line_printf(l, TERM_PLAIN, " of %.60s", text_shown(file).text);
}

void advice_print(const struct term *term, const struct stats *s)
{
    struct term_line l;
    const struct stats_row *r = NULL;
    int64_t calls = 0;
    for (size_t i = 0; i < s->count; i++)
        calls += s->rows[i].is_loading ? 0 : s->rows[i].calls;
    for (size_t i = 0; i < s->count && !r; i++)
        if (is_costly(s, &s->rows[i], calls))
            r = &s->rows[i];
    if (!r)
        return;
    const struct query_site *site = site_of(s, r->name);
    term_line_init(&l, term);
    term_line_printf(&l, TERM_DIM, "  advice ");
    term_line_text(&l, TERM_PLAIN, r->name, term->width / 3);
    term_line_printf(&l, TERM_PLAIN, ": %s of spans, %s of time; leave it out",
                     format_share(r->calls, calls).text,
                     format_share(r->self_ns, s->wall_ns).text);
    if (site)
        put_cure(&l, site);
    term_line_end(&l);
    term_line_free(&l);
}
