/* SPDX-License-Identifier: Apache-2.0 */
/* What was slow: the limit of each handler stands in its site, the number of
 * calls beyond it in its totals. See slow.h. */
#include "tools/cli/slow.h"
#include "tools/common/buf.h"
#include "tools/common/format.h"

bool slow_is(const struct query_site *site, int64_t duration_ns)
{
    return site && site->slow_ns > 0 && duration_ns > site->slow_ns;
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
}
