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
#include "lane/ids.h"
#include "tools/cli/export.h"
#include "tools/common/format.h"
#include "tools/common/json.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    LANE_SHIFT = 48, /* of a reference */
};

/* A span that is open at the moment that was reached, on its row. */
struct level {
    int64_t session, ref, end_ns;
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
    const struct query_trace *trace;
    const struct query_detail *detail;
    FILE *out;
    bool has_events;
    int64_t origin_ns, end_ns; /* of the trace */
    struct line *lines;        /* of each thread; then one of unknown ones */
    struct arrow *arrows;
    size_t arrow_count, arrow_cap;
};
/* Where a span stands. */
struct place {
    const char *name;
    int64_t pid, tid, start_ns, end_ns;
};

/* ---- events -------------------------------------------------------------- */

static int put(struct chrome *c, struct cJSON *event)
{
    fputs(c->has_events ? ",\n" : "", c->out);
    c->has_events = true;
    int err = json_print(c->out, event);
    return err ? err : ferror(c->out) ? -EIO : 0;
}

static void format_micros(char out[40], int64_t ns)
{
    uint64_t n = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    snprintf(out, 40, "%s%" PRIu64 ".%03" PRIu64, ns < 0 ? "-" : "", n / 1000,
             n % 1000);
}

static void add_micros(struct cJSON *o, const char *key, int64_t ns)
{
    char text[40];
    format_micros(text, ns);
    json_raw(o, key, text, "0");
}

/* Start and length as doubles must not come out behind the end as a double:
 * then the length is shorter by a tenth of a nanosecond. */
static void add_duration(struct cJSON *o, int64_t start_ns, int64_t end_ns)
{
    char start[40], end[40], length[40];
    int64_t ns = end_ns - start_ns;
    format_micros(start, start_ns);
    format_micros(end, end_ns);
    format_micros(length, ns);
    bool sticks_out = ns > 0 && strtod(start, NULL) + strtod(length, NULL) >
                                    strtod(end, NULL);
    char shown[48];
    if (sticks_out)
        format_micros(length, ns - 1);
    snprintf(shown, sizeof shown, "%s%s", length, sticks_out ? "9" : "");
    json_raw(o, "dur", shown, "0");
}

static struct cJSON *event_of(const char *phase, const struct place *at)
{
    struct cJSON *o = json_object();
    json_text(o, "name", at->name);
    json_text(o, "cat", "handspan");
    json_text(o, "ph", phase);
    json_int(o, "pid", at->pid);
    json_int(o, "tid", at->tid);
    return o;
}

static int put_name(struct chrome *c, const char *what, int64_t pid,
                    int64_t tid, const char *name)
{
    struct place at = {.name = what, .pid = pid, .tid = tid};
    struct cJSON *o = event_of("M", &at), *args = json_object();
    json_text(args, "name", name);
    json_object_add(o, "args", args);
    return put(c, o);
}

/* ---- arrows -------------------------------------------------------------- */

static int add_arrow(struct chrome *c, uint64_t from, uint64_t to)
{
    if (c->arrow_count == c->arrow_cap) {
        size_t cap = c->arrow_cap ? 2 * c->arrow_cap : 64;
        struct arrow *more = reallocarray(c->arrows, cap, sizeof *more);
        if (!more)
            return -ENOMEM;
        c->arrows = more;
        c->arrow_cap = cap;
    }
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
        if (!err && trace && span && strcmp(trace, c->trace->hex) == 0)
            err = add_arrow(c, strtoull(span, NULL, 16), to);
    }
    cJSON_Delete(links);
    return err;
}

static int find_arrows(void *context, const struct query_span *s)
{
    struct chrome *c = context;
    uint64_t id = query_span_id(c->detail, s->session, s->ref);
    int err = 0;
    if (s->parent_ref > 0 &&
        s->parent_ref >> LANE_SHIFT != s->ref >> LANE_SHIFT)
        err = add_arrow(c, query_span_id(c->detail, s->session, s->parent_ref),
                        id);
    if (!err && s->links)
        err = add_links(c, s->links, id);
    return err;
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
                    uint64_t to, const struct place *at)
{
    struct cJSON *o = event_of(phase, at);
    char id[34];
    snprintf(id, sizeof id, "%016" PRIx64 "%016" PRIx64, from, to);
    json_text(o, "id", id);
    json_text(o, "bp", "e");
    add_micros(o, "ts", at->start_ns);
    return put(c, o);
}

/* Those that begin here. An arrow starts with what it comes from. */
static int put_sources(struct chrome *c, uint64_t id, const struct place *at)
{
    size_t low = 0, high = c->arrow_count;
    int err = 0;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (c->arrows[mid].from < id)
            low = mid + 1;
        else
            high = mid;
    }
    for (; !err && low < c->arrow_count && c->arrows[low].from == id; low++) {
        c->arrows[low].is_begun = true;
        err = put_flow(c, "s", id, c->arrows[low].to, at);
    }
    return err;
}

/* ---- slices -------------------------------------------------------------- */

static struct line *line_of(const struct chrome *c,
                            const struct query_thread *thread)
{
    size_t at = thread ? (size_t)(thread - c->detail->threads)
                       : c->detail->thread_count;
    return &c->lines[at];
}

static int push(struct line *line, struct level level)
{
    if (line->count == line->cap) {
        size_t cap = line->cap ? 2 * line->cap : 16;
        struct level *more = reallocarray(line->levels, cap, sizeof *more);
        if (!more)
            return -ENOMEM;
        line->levels = more;
        line->cap = cap;
    }
    line->levels[line->count++] = level;
    return 0;
}

/* What is over by now goes. */
static void pass_time(struct line *line, int64_t now_ns)
{
    size_t kept = 0;
    for (size_t i = 0; i < line->count; i++)
        if (line->levels[i].end_ns > now_ns)
            line->levels[kept++] = line->levels[i];
    line->count = kept;
}

/* 0: the span lies in the slice of its parent; else the asynchronous row that
 * it belongs to. */
static uint64_t async_of(const struct line *line, const struct query_span *s,
                         uint64_t id, int64_t end_ns)
{
    const struct level *top = NULL, *parent = NULL;
    for (size_t i = 0; i < line->count; i++) {
        const struct level *level = &line->levels[i];
        if (!level->async_id)
            top = level;
        if (level->session == s->session && level->ref == s->parent_ref)
            parent = level;
    }
    if (parent && parent->async_id)
        return end_ns <= parent->end_ns ? parent->async_id : id;
    if (!top)
        return 0;
    bool is_elsewhere =
        !parent && s->parent_ref >> LANE_SHIFT != s->ref >> LANE_SHIFT;
    return end_ns <= top->end_ns && (top == parent || is_elsewhere) ? 0 : id;
}

static struct cJSON *args_of(const struct chrome *c, int64_t session,
                             int64_t ref, int64_t parent_ref,
                             const char *status)
{
    struct cJSON *args = json_object();
    json_id(args, "span_id", query_span_id(c->detail, session, ref));
    json_id(args, "parent_span_id",
            query_span_id(c->detail, session, parent_ref));
    json_text(args, "status", status);
    return args;
}

static struct cJSON *args_of_span(const struct chrome *c,
                                  const struct query_span *s)
{
    struct cJSON *args =
        args_of(c, s->session, s->ref, s->parent_ref, s->status);
    json_count(args, "self_ns", s->self_ns);
    json_count(args, "cpu_ns", s->cpu_ns);
    return args;
}

static int put_async(struct chrome *c, const struct place *at, uint64_t row,
                     struct cJSON *args)
{
    struct cJSON *begin = event_of("b", at), *end = event_of("e", at);
    json_id(begin, "id", row);
    add_micros(begin, "ts", at->start_ns);
    json_object_add(begin, "args", args);
    json_id(end, "id", row);
    add_micros(end, "ts", at->end_ns);
    int err = put(c, begin);
    int second = put(c, end);
    return err ? err : second;
}

static int put_slice(struct chrome *c, const struct place *at,
                     struct cJSON *args)
{
    struct cJSON *o = event_of("X", at);
    add_micros(o, "ts", at->start_ns);
    add_duration(o, at->start_ns, at->end_ns);
    json_object_add(o, "args", args);
    return put(c, o);
}

/* One that has no end lasts until the trace's. */
static int64_t end_of(const struct chrome *c, int64_t start_ns,
                      int64_t duration_ns)
{
    if (duration_ns >= 0)
        return start_ns + duration_ns;
    return c->end_ns > start_ns ? c->end_ns : start_ns;
}

static struct place place_of(const struct chrome *c, const struct query_span *s,
                             const struct query_thread *thread)
{
    const struct query_detail *d = c->detail;
    const struct query_site *site = query_site_find(d, s->session, s->site);
    const struct query_process *p =
        query_process_find(d, s->session, s->process_idx);
    int64_t end = end_of(c, s->start_unix_ns, s->duration_ns);
    return (struct place){.name = site && site->name ? site->name : "?",
                          .pid = p ? p->pid : -1,
                          .tid = thread ? thread->tid : -1,
                          .start_ns = s->start_unix_ns - c->origin_ns,
                          .end_ns = end - c->origin_ns};
}

static int put_span(void *context, const struct query_span *s)
{
    struct chrome *c = context;
    const struct query_thread *thread =
        query_thread_find(c->detail, s->session, s->ref, s->generation);
    struct place at = place_of(c, s, thread);
    struct line *line = line_of(c, thread);
    uint64_t id = query_span_id(c->detail, s->session, s->ref);
    pass_time(line, at.start_ns);
    uint64_t row = thread ? async_of(line, s, id, at.end_ns) : id;
    int err = push(line, (struct level){s->session, s->ref, at.end_ns, row});
    if (!err && row)
        err = put_async(c, &at, row, args_of_span(c, s));
    else if (!err)
        err = put_slice(c, &at, args_of_span(c, s));
    return err ? err : put_sources(c, id, &at);
}

/* Arrows end where their targets begin: by now these are known. */
static int put_target(void *context, const struct query_span *s)
{
    struct chrome *c = context;
    const struct query_thread *thread =
        query_thread_find(c->detail, s->session, s->ref, s->generation);
    struct arrow key = {.to = query_span_id(c->detail, s->session, s->ref)};
    const struct arrow *found =
        bsearch(&key, c->arrows, c->arrow_count, sizeof *c->arrows, by_target);
    int err = 0;
    if (!found)
        return 0;
    struct place at = place_of(c, s, thread);
    while (found > c->arrows && found[-1].to == key.to)
        found--;
    for (; !err && found < c->arrows + c->arrow_count && found->to == key.to;
         found++)
        if (found->is_begun)
            err = put_flow(c, "f", found->from, found->to, &at);
    return err;
}

/* ---- rows ---------------------------------------------------------------- */

static const struct query_thread *main_thread(const struct query_detail *d,
                                              const struct query_process *p)
{
    for (size_t i = 0; i < d->thread_count; i++)
        if (d->threads[i].session == p->session &&
            d->threads[i].process_idx == p->idx && d->threads[i].tid == p->pid)
            return &d->threads[i];
    return NULL;
}

static int put_process(struct chrome *c, const struct query_process *p)
{
    int64_t end = end_of(c, p->start_unix_ns, p->duration_ns);
    struct place at = {.name = p->name ? p->name : "?",
                       .pid = p->pid,
                       .tid = p->pid,
                       .start_ns = p->start_unix_ns - c->origin_ns,
                       .end_ns = end - c->origin_ns};
    const struct query_thread *thread = main_thread(c->detail, p);
    int err = put_name(c, "process_name", p->pid, p->pid,
                       p->label ? p->label : at.name);
    if (!err && thread)
        err = push(line_of(c, thread),
                   (struct level){p->session, query_process_ref(p->idx),
                                  at.end_ns, 0});
    int64_t parent = p->parent_ref        ? p->parent_ref
                     : p->parent_idx >= 0 ? query_process_ref(p->parent_idx)
                                          : 0;
    struct cJSON *args =
        args_of(c, p->session, query_process_ref(p->idx), parent, p->status);
    if (p->loading_ns >= 0)
        json_int(args, "loading_ns", p->loading_ns);
    return err ? err : put_slice(c, &at, args);
}

static int put_rows(struct chrome *c)
{
    const struct query_detail *d = c->detail;
    int err = 0;
    for (size_t i = 0; !err && i < d->process_count; i++)
        if (d->processes[i].trace == c->trace->trace)
            err = put_process(c, &d->processes[i]);
    for (size_t i = 0; !err && i < d->thread_count; i++) {
        const struct query_thread *t = &d->threads[i];
        const struct query_process *p =
            query_process_find(d, t->session, t->process_idx);
        if (p && p->trace == c->trace->trace && t->name)
            err = put_name(c, "thread_name", p->pid, t->tid, t->name);
    }
    return err;
}

/* ---- all ----------------------------------------------------------------- */

static int begin(struct chrome *c, struct view *v)
{
    const struct query_detail *d = c->detail;
    c->origin_ns = c->trace->start_unix_ns;
    for (size_t i = 0; i < d->process_count; i++)
        if (d->processes[i].trace == c->trace->trace &&
            d->processes[i].start_unix_ns < c->origin_ns)
            c->origin_ns = d->processes[i].start_unix_ns;
    c->end_ns = c->trace->duration_ns >= 0
                    ? c->trace->start_unix_ns + c->trace->duration_ns
                    : format_now_ns();
    c->lines = calloc(d->thread_count + 1, sizeof *c->lines);
    if (!c->lines)
        return -ENOMEM;
    int err = query_spans(v->db, c->trace->trace, false, find_arrows, c);
    if (c->arrow_count)
        qsort(c->arrows, c->arrow_count, sizeof *c->arrows, by_source);
    return err;
}

int export_chrome(struct view *v, const struct query_trace *trace,
                  const struct query_detail *detail, FILE *out)
{
    struct chrome c = {.trace = trace, .detail = detail, .out = out};
    int err = begin(&c, v);
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", out);
    if (!err)
        err = put_rows(&c);
    if (!err)
        err = query_spans(v->db, trace->trace, false, put_span, &c);
    if (!err && c.arrow_count) {
        qsort(c.arrows, c.arrow_count, sizeof *c.arrows, by_target);
        err = query_spans(v->db, trace->trace, false, put_target, &c);
    }
    fputs("]}\n", out);
    for (size_t i = 0; c.lines && i <= detail->thread_count; i++)
        free(c.lines[i].levels);
    free(c.lines);
    free(c.arrows);
    return err;
}
