/* SPDX-License-Identifier: Apache-2.0 */
/* See ends.h. */
#include "tools/cli/screen/ends.h"
#include "tools/common/text/format.h"
#include <string.h>

enum {
    SHOWN_MAX = 3,
    WIDE_NS = 50000000, /* who looks often misses it by less */
};

static bool is_vague(const struct query_process *p)
{
    if (p->end_least_ns < 0 || !p->status || strcmp(p->status, "open") == 0)
        return false;
    return p->end_most_ns < 0 || p->end_most_ns - p->end_least_ns > WIDE_NS;
}

static void print_one(const struct term *term, const struct query_process *p)
{
    struct buf text;
    buf_init(&text, 1024);
    buf_printf(&text, "%s (pid %lld) ended ", p->label ? p->label : "?",
               (long long)p->pid);
    if (p->end_most_ns >= 0)
        buf_printf(&text, "between %s and ",
                   format_duration(p->end_least_ns, term->utf8).text);
    else
        buf_text(&text, "not before ");
    buf_printf(
        &text, "%s after its start: nobody saw when.",
        format_duration(p->end_most_ns >= 0 ? p->end_most_ns : p->end_least_ns,
                        term->utf8)
            .text);
    term_wrap(term, TERM_YELLOW, buf_get(&text), 2);
    buf_free(&text);
}

void ends_print(const struct term *term, const struct query_trace *t,
                const struct query_detail *d)
{
    int shown = 0;
    for (size_t i = 0; i < d->process_count && shown < SHOWN_MAX; i++)
        if (d->processes[i].trace == t->trace && is_vague(&d->processes[i])) {
            print_one(term, &d->processes[i]);
            shown++;
        }
}
