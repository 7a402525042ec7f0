/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chrome's trace event format. A pass over the spans looks for arrows
 * (export_lines.h), a second writes slices and where arrows begin, a third
 * where they end.
 *
 * A viewer makes the tree of a thread's row from times alone, which it holds
 * as doubles. So times count from the start of the trace, and a span is a
 * slice of its row ("X") only where it lies in its parent's: what overlaps
 * (two-call spans, fibers), and all below it, is an asynchronous one ("b",
 * "e"), which has a row of its own for each outermost.
 */
#include "tools/cli/export/export_lines.h"
#include "tools/common/text/buf.h"
#include "tools/common/text/json.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct chrome {
    const struct export *x;
    bool has_events;
    struct export_lines lines;
    struct buf event; /* the one that is written now */
};

/* ---- events -------------------------------------------------------------- */

static void key(struct chrome *c, const char *name)
{
    buf_char(&c->event, ',');
    json_quote(&c->event, name);
    buf_char(&c->event, ':');
}

static void add_text(struct chrome *c, const char *name, const char *text)
{
    key(c, name);
    json_quote(&c->event, text);
}

static void add_int(struct chrome *c, const char *name, int64_t n)
{
    key(c, name);
    buf_number(&c->event, n);
}

/* null: not known */
static void add_count(struct chrome *c, const char *name, int64_t n)
{
    key(c, name);
    if (n < 0)
        buf_text(&c->event, "null");
    else
        buf_number(&c->event, n);
}

/* null for 0 */
static void put_id(struct buf *b, uint64_t id)
{
    uint64_t big_endian = __builtin_bswap64(id);
    buf_text(b, id ? "\"" : "null");
    if (id)
        buf_hex(b, &big_endian, sizeof big_endian);
    if (id)
        buf_char(b, '"');
}

static void add_id(struct chrome *c, const char *name, uint64_t id)
{
    key(c, name);
    put_id(&c->event, id);
}

/* Of a time in ns as microseconds, "12.345". */
static void put_micros(struct buf *b, int64_t ns)
{
    uint64_t n = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    char part[4] = {'.', (char)('0' + n / 100 % 10), (char)('0' + n / 10 % 10),
                    (char)('0' + n % 10)};
    if (ns < 0)
        buf_char(b, '-');
    buf_count(b, n / 1000);
    buf_add(b, part, sizeof part);
}

static void add_micros(struct chrome *c, const char *name, int64_t ns)
{
    key(c, name);
    put_micros(&c->event, ns);
}

/* As a reader has it: of what a double holds the quotient is the nearest one to
 * the decimal text, too. */
static double as_double(int64_t ns)
{
    char text[40];
    if (ns > -((int64_t)1 << 53) && ns < (int64_t)1 << 53)
        return (double)ns / 1000;
    snprintf(text, sizeof text, "%" PRId64 "e-3", ns);
    return strtod(text, NULL);
}

/* Start and length as doubles must not come out behind the end as a double:
 * then the length is shorter by a tenth of a nanosecond. */
static void add_duration(struct chrome *c, int64_t start_ns, int64_t end_ns)
{
    int64_t ns = end_ns - start_ns;
    bool sticks_out =
        ns > 0 && as_double(start_ns) + as_double(ns) > as_double(end_ns);
    add_micros(c, "dur", sticks_out ? ns - 1 : ns);
    if (sticks_out)
        buf_char(&c->event, '9');
}

static void begin(struct chrome *c, const char *phase,
                  const struct export_span *s)
{
    buf_reset(&c->event);
    buf_text(&c->event, c->has_events ? ",\n{\"name\":" : "{\"name\":");
    json_quote(&c->event, s->name);
    add_text(c, "cat", "handspan");
    add_text(c, "ph", phase);
    add_int(c, "pid", s->pid);
    add_int(c, "tid", s->tid);
}

static int end(struct chrome *c)
{
    buf_text(&c->event, "}\n");
    c->has_events = true;
    if (c->event.failed)
        return -ENOMEM;
    fwrite(buf_get(&c->event), 1, c->event.len_bytes, c->x->out);
    return ferror(c->x->out) ? -EIO : 0;
}

static int64_t since_start(const struct chrome *c, int64_t unix_ns)
{
    return unix_ns - c->x->start_ns;
}

static int put_name(struct chrome *c, const char *what, int64_t pid,
                    int64_t tid, const char *name)
{
    struct export_span at = {.name = what, .pid = pid, .tid = tid};
    begin(c, "M", &at);
    buf_text(&c->event, ",\"args\":{\"name\":");
    json_quote(&c->event, name);
    buf_char(&c->event, '}');
    return end(c);
}

/* ---- arrows -------------------------------------------------------------- */

static int put_flow(struct chrome *c, const char *phase, uint64_t from,
                    uint64_t to, const struct export_span *at)
{
    char id[34];
    begin(c, phase, at);
    snprintf(id, sizeof id, "%016" PRIx64 "%016" PRIx64, from, to);
    add_text(c, "id", id);
    add_text(c, "bp", "e");
    add_micros(c, "ts", since_start(c, at->start_unix_ns));
    return end(c);
}

/* Those that begin here. An arrow starts with what it comes from; what a
 * process calls or becomes was not handed over. */
static int put_sources(struct chrome *c, const struct export_span *s)
{
    size_t count;
    struct export_arrow *a = export_arrows_from(&c->lines, s->id, &count);
    int err = 0;
    for (size_t i = 0; !err && i < count; i++) {
        a[i].is_begun = true;
        err = put_flow(c, "s", s->id, a[i].to, s);
    }
    return err;
}

/* ---- slices -------------------------------------------------------------- */

static void add_args(struct chrome *c, const struct export_span *s)
{
    buf_text(&c->event, ",\"args\":{\"span_id\":");
    put_id(&c->event, s->id);
    add_id(c, "parent_span_id", s->parent_id);
    add_text(c, "status", s->status);
    add_text(c, "ended_by", s->ended_by);
    add_count(c, "self_ns", s->self_ns);
    add_count(c, "cpu_ns", s->cpu_ns);
    if (s->is_process && s->process->loading_ns >= 0)
        add_int(c, "loading_ns", s->process->loading_ns);
    buf_char(&c->event, '}');
}

static int put_async(struct chrome *c, const struct export_span *s,
                     uint64_t row)
{
    begin(c, "b", s);
    add_id(c, "id", row);
    add_micros(c, "ts", since_start(c, s->start_unix_ns));
    add_args(c, s);
    int err = end(c);
    begin(c, "e", s);
    add_id(c, "id", row);
    add_micros(c, "ts", since_start(c, s->shown_end_ns));
    int second = end(c);
    return err ? err : second;
}

static int put_slice(struct chrome *c, const struct export_span *s)
{
    begin(c, "X", s);
    add_micros(c, "ts", since_start(c, s->start_unix_ns));
    add_duration(c, since_start(c, s->start_unix_ns),
                 since_start(c, s->shown_end_ns));
    add_args(c, s);
    return end(c);
}

static int put_span(void *context, const struct export_span *s)
{
    struct chrome *c = context;
    uint64_t row;
    int err = export_lines_place(&c->lines, s, &row);
    if (!err)
        err = row ? put_async(c, s, row) : put_slice(c, s);
    return err || s->is_process ? err : put_sources(c, s);
}

/* Arrows end where their targets begin: by now these are known. */
static int put_target(void *context, const struct export_span *s)
{
    struct chrome *c = context;
    size_t count;
    const struct export_arrow *a = export_arrows_to(&c->lines, s->id, &count);
    int err = 0;
    for (size_t i = 0; !err && i < count; i++)
        if (a[i].is_begun)
            err = put_flow(c, "f", a[i].from, a[i].to, s);
    return err;
}

/* ---- rows ---------------------------------------------------------------- */

static int put_rows(struct chrome *c)
{
    const struct query_detail *d = c->x->detail;
    int err = 0;
    for (size_t i = 0; !err && i < d->process_count; i++) {
        const struct query_process *p = &d->processes[i];
        if (p->trace == c->x->trace->trace)
            err = put_name(c, "process_name", p->pid, p->pid,
                           p->label ? p->label : "?");
    }
    for (size_t i = 0; !err && i < d->thread_count; i++) {
        const struct query_thread *t = &d->threads[i];
        const struct query_process *p =
            query_process_find(d, t->session, t->process_idx);
        if (p && p->trace == c->x->trace->trace && t->name)
            err = put_name(c, "thread_name", p->pid, t->tid, t->name);
    }
    return err;
}

/* ---- all ----------------------------------------------------------------- */

static int put_events(struct chrome *c)
{
    int err = export_lines_find(&c->lines, c->x);
    if (!err)
        err = put_rows(c);
    if (!err)
        err = export_each(c->x, put_span, c);
    if (err || !c->lines.arrow_count)
        return err;
    export_arrows_by_target(&c->lines);
    return export_each(c->x, put_target, c);
}

int export_chrome(const struct export *x)
{
    struct chrome c = {.x = x};
    buf_init(&c.event, 1 << 20);
    fprintf(x->out,
            "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"trace_id\":\"%s\","
            "\"start_unix_ns\":\"%" PRId64 "\"},\"traceEvents\":[\n",
            x->trace->hex, x->start_ns);
    int err = put_events(&c);
    fputs("]}\n", x->out);
    export_lines_free(&c.lines);
    buf_free(&c.event);
    return err;
}
