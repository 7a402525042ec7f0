/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chrome's trace event format, in two passes over the spans. The first looks
 * for arrows (a span whose parent has another thread, links); the second
 * writes.
 *
 * A viewer makes the tree of a thread's row from times alone, which it holds
 * as doubles. So times count from the start of the trace, and a span is a
 * slice of its row ("X") only where it lies in its parent's: what overlaps
 * (two-call spans, fibers), and all below it, is an asynchronous one ("b",
 * "e"), which has a row of its own for each outermost.
 */
#include "tools/cli/export/export.h"
#include "tools/common/text/buf.h"
#include "tools/common/text/json.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A span that is open at the moment that was reached, on its row. */
struct level {
    uint64_t id;
    int64_t end_ns;
    uint64_t async_id; /* 0: a slice */
};
struct line {
    struct level *levels;
    size_t count, cap;
};
struct arrow {
    uint64_t from, to; /* span ids */
    bool is_begun;     /* what it comes from is in the trace */
};
struct chrome {
    const struct export *x;
    bool has_events;
    struct line *lines; /* of each thread; then one of unknown ones */
    struct arrow *arrows;
    size_t arrow_count, arrow_cap;
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

/* ---- what is open ----------------------------------------------------------
 */

static struct line *line_of(const struct chrome *c,
                            const struct query_thread *thread)
{
    const struct query_detail *d = c->x->detail;
    return &c->lines[thread ? (size_t)(thread - d->threads) : d->thread_count];
}

static int push(struct line *line, const struct export_span *s,
                uint64_t async_id)
{
    if (!export_grow(&line->levels, line->count, &line->cap,
                     sizeof *line->levels))
        return -ENOMEM;
    line->levels[line->count++] =
        (struct level){s->id, s->shown_end_ns, async_id};
    return 0;
}

/* What is over when this begins goes; not what it was called in. */
static void pass_time(struct line *line, const struct export_span *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < line->count; i++) {
        const struct level *level = &line->levels[i];
        if (level->end_ns > s->start_unix_ns ||
            (level->end_ns == s->start_unix_ns && level->id == s->parent_id))
            line->levels[kept++] = *level;
    }
    line->count = kept;
}

/* NULL: what it hangs from is over, or of another thread. */
static const struct level *parent_of(const struct line *line,
                                     const struct export_span *s)
{
    for (size_t i = line->count; i > 0 && s->thread && s->parent_id; i--)
        if (line->levels[i - 1].id == s->parent_id)
            return &line->levels[i - 1];
    return NULL;
}

/* ---- arrows -------------------------------------------------------------- */

static int add_arrow(struct chrome *c, uint64_t from, uint64_t to)
{
    if (!export_grow(&c->arrows, c->arrow_count, &c->arrow_cap,
                     sizeof *c->arrows))
        return -ENOMEM;
    c->arrows[c->arrow_count++] = (struct arrow){.from = from, .to = to};
    return 0;
}

static int add_links(struct chrome *c, const char *text, uint64_t to)
{
    int err = 0;
    struct cJSON *links = cJSON_Parse(text);
    const struct cJSON *link;
    cJSON_ArrayForEach(link, links)
    {
        const char *trace = cJSON_GetStringValue(
            cJSON_GetObjectItemCaseSensitive(link, "trace_id"));
        const char *span = cJSON_GetStringValue(
            cJSON_GetObjectItemCaseSensitive(link, "span_id"));
        if (!err && trace && span && strcmp(trace, c->x->trace->hex) == 0)
            err = add_arrow(c, strtoull(span, NULL, 16), to);
    }
    cJSON_Delete(links);
    return err;
}

/* In the order of starts, with what is open on each thread. */
static int find_arrows(void *context, const struct export_span *s)
{
    struct chrome *c = context;
    struct line *line = line_of(c, s->thread);
    int err = 0;
    pass_time(line, s);
    /* handed over: by another thread, or by a call that has returned */
    if (s->parent_id && query_ref_process(s->parent_ref) < 0 &&
        !parent_of(line, s))
        err = add_arrow(c, s->parent_id, s->id);
    if (!err && s->links)
        err = add_links(c, s->links, s->id);
    return err ? err : push(line, s, 0);
}

static int by_source(const void *a, const void *b)
{
    const struct arrow *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to;
}

static int by_target(const void *a, const void *b)
{
    const struct arrow *x = a, *y = b;
    return x->to < y->to ? -1 : x->to > y->to;
}

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
    size_t low = 0, high = c->arrow_count;
    int err = 0;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (c->arrows[mid].from < s->id)
            low = mid + 1;
        else
            high = mid;
    }
    for (; !err && low < c->arrow_count && c->arrows[low].from == s->id;
         low++) {
        c->arrows[low].is_begun = true;
        err = put_flow(c, "s", s->id, c->arrows[low].to, s);
    }
    return err;
}

/* ---- slices -------------------------------------------------------------- */

/* 0: the span lies in the slice of its parent, or in what its thread did when
 * the work came; else the asynchronous row that it belongs to. */
static uint64_t async_of(const struct line *line, const struct export_span *s)
{
    const struct level *top = NULL, *parent = parent_of(line, s);
    if (!s->thread)
        return s->is_process ? 0 : s->id;
    if (parent && parent->async_id)
        return s->shown_end_ns <= parent->end_ns ? parent->async_id : s->id;
    for (size_t i = line->count; !top && i > 0; i--)
        if (!line->levels[i - 1].async_id)
            top = &line->levels[i - 1];
    if (!top)
        return 0;
    return s->shown_end_ns <= top->end_ns && (!parent || top == parent) ? 0
                                                                        : s->id;
}

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
    struct line *line = line_of(c, s->thread);
    pass_time(line, s);
    uint64_t row = async_of(line, s);
    int err = push(line, s, row);
    if (!err)
        err = row ? put_async(c, s, row) : put_slice(c, s);
    return err || s->is_process ? err : put_sources(c, s);
}

/* Arrows end where their targets begin: by now these are known. */
static int put_target(void *context, const struct export_span *s)
{
    struct chrome *c = context;
    struct arrow key = {.to = s->id};
    const struct arrow *found =
        bsearch(&key, c->arrows, c->arrow_count, sizeof *c->arrows, by_target);
    int err = 0;
    if (!found)
        return 0;
    while (found > c->arrows && found[-1].to == key.to)
        found--;
    for (; !err && found < c->arrows + c->arrow_count && found->to == key.to;
         found++)
        if (found->is_begun)
            err = put_flow(c, "f", found->from, found->to, s);
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
    int err = export_each(c->x, find_arrows, c);
    if (c->arrow_count)
        qsort(c->arrows, c->arrow_count, sizeof *c->arrows, by_source);
    for (size_t i = 0; i <= c->x->detail->thread_count; i++)
        c->lines[i].count = 0;
    if (!err)
        err = put_rows(c);
    if (!err)
        err = export_each(c->x, put_span, c);
    if (err || !c->arrow_count)
        return err;
    qsort(c->arrows, c->arrow_count, sizeof *c->arrows, by_target);
    return export_each(c->x, put_target, c);
}

int export_chrome(const struct export *x)
{
    size_t threads = x->detail->thread_count;
    struct chrome c = {.x = x, .lines = calloc(threads + 1, sizeof *c.lines)};
    if (!c.lines)
        return -ENOMEM;
    buf_init(&c.event, 1 << 20);
    fprintf(x->out,
            "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"trace_id\":\"%s\","
            "\"start_unix_ns\":\"%" PRId64 "\"},\"traceEvents\":[\n",
            x->trace->hex, x->start_ns);
    int err = put_events(&c);
    fputs("]}\n", x->out);
    for (size_t i = 0; i <= threads; i++)
        free(c.lines[i].levels);
    free(c.lines);
    free(c.arrows);
    buf_free(&c.event);
    return err;
}
