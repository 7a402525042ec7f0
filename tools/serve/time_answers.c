/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers over time, what is open now; see ask.h. */
#include "lane/format/histogram.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include "tools/serve/ask.h"
#include "tools/query/whole/page.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- handlers over time -------------------------------------------------- */

enum {
    HANDLERS_MOST = 500,
    CELLS_MOST = 200,
    BUCKETS = 768,
};
struct cell {
    int64_t calls, errors, max_ns;
    uint32_t *buckets; /* NULL: no call */
};
struct handler {
    char *name;
    struct cell all, *cells;
    int64_t total_ns, self_ns;
};
struct handlers {
    struct handler *list;
    size_t count, cap;
    int64_t since_ns, until_ns, cells, left_out;
};

static struct handler *take_handler(struct handlers *h, const char *name)
{
    for (size_t i = 0; i < h->count; i++)
        if (strcmp(h->list[i].name, name) == 0)
            return &h->list[i];
    if (h->count == HANDLERS_MOST)
        return NULL;
    if (h->count == h->cap) {
        size_t cap = h->cap ? 2 * h->cap : 32;
        void *more = reallocarray(h->list, cap, sizeof *h->list);
        if (!more)
            return NULL;
        h->list = more;
        h->cap = cap;
    }
    struct handler *one = &h->list[h->count];
    *one =
        (struct handler){.name = strdup(name),
                         .cells = calloc((size_t)h->cells, sizeof *one->cells)};
    if (!one->name || !one->cells) {
        free(one->name);
        free(one->cells);
        return NULL;
    }
    h->count++;
    return one;
}

/* {"bucket":count,...}, as the store has it. */
static int add_histogram(struct cell *c, const char *text)
{
    int bucket, used;
    long long count;
    if (!c->buckets)
        c->buckets = calloc(BUCKETS, sizeof *c->buckets);
    if (!c->buckets)
        return -ENOMEM;
    for (text = text ? strpbrk(text, "\"") : NULL;
         text && sscanf(text, "\"%d\":%lld%n", &bucket, &count, &used) == 2;
         text = strpbrk(text + used, "\""))
        if (bucket >= 0 && bucket < BUCKETS && count > 0)
            c->buckets[bucket] += (uint32_t)count;
    return 0;
}

static int add_to(struct cell *c, const struct query_total *t)
{
    c->calls += t->calls;
    c->errors += t->errors;
    c->max_ns = t->max_ns > c->max_ns ? t->max_ns : c->max_ns;
    return add_histogram(c, t->histogram);
}

static int add_total(void *context, const struct query_total *t)
{
    struct handlers *h = context;
    struct handler *one = take_handler(h, t->name ? t->name : "?");
    if (!one) {
        h->left_out++;
        return h->count == HANDLERS_MOST ? 0 : -ENOMEM;
    }
    double part = (double)(t->start_unix_ns - h->since_ns) /
                  (double)(h->until_ns - h->since_ns);
    int64_t at = (int64_t)(part * (double)h->cells);
    at = at < 0 ? 0 : at >= h->cells ? h->cells - 1 : at;
    one->total_ns += t->total_ns;
    one->self_ns += t->self_ns;
    int err = add_to(&one->all, t);
    return err ? err : add_to(&one->cells[at], t);
}

/* As that of `stats`: within 3 %. -1: no call. */
static int64_t percentile(const struct cell *c, int64_t percent)
{
    int64_t all = 0, seen = 0;
    for (int i = 0; c->buckets && i < BUCKETS; i++)
        all += c->buckets[i];
    int64_t want = (all * percent + 99) / 100;
    for (int i = 0; all && i < BUCKETS; i++) {
        seen += c->buckets[i];
        if (seen >= want) {
            int64_t ns = (int64_t)lane_histogram_middle((uint32_t)i);
            return ns < c->max_ns ? ns : c->max_ns;
        }
    }
    return -1;
}

static void put_cell(FILE *out, const struct cell *c)
{
    if (c->calls == 0) {
        fputs("null", out);
        return;
    }
    fprintf(out,
            "[%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64
            ",%" PRId64 "]",
            c->calls, c->errors, percentile(c, 50), percentile(c, 95),
            percentile(c, 99), c->max_ns);
}

static int put_handler(FILE *out, const struct handlers *h,
                       const struct handler *one)
{
    struct cJSON *o = json_object();
    char *series = NULL;
    size_t len;
    FILE *text = open_memstream(&series, &len);
    if (!text)
        return -ENOMEM;
    for (int64_t i = 0; i < h->cells; i++) {
        fputs(i ? "," : "[", text);
        put_cell(text, &one->cells[i]);
    }
    fputc(']', text);
    fclose(text);
    json_text(o, "name", one->name);
    json_int(o, "calls", one->all.calls);
    json_int(o, "errors", one->all.errors);
    json_int(o, "total_ns", one->total_ns);
    json_int(o, "self_ns", one->self_ns > 0 ? one->self_ns : 0);
    json_int(o, "max_ns", one->all.max_ns);
    json_count(o, "p50_ns", percentile(&one->all, 50));
    json_count(o, "p95_ns", percentile(&one->all, 95));
    json_count(o, "p99_ns", percentile(&one->all, 99));
    json_raw(o, "cells", series, "[]");
    free(series);
    return json_print(out, o);
}

static int by_self(const void *a, const void *b)
{
    const struct handler *x = a, *y = b;
    return x->self_ns < y->self_ns ? 1 : x->self_ns > y->self_ns ? -1 : 0;
}

static void handlers_free(struct handlers *h)
{
    for (size_t i = 0; i < h->count; i++) {
        for (int64_t c = 0; c < h->cells; c++)
            free(h->list[i].cells[c].buckets);
        free(h->list[i].cells);
        free(h->list[i].all.buckets);
        free(h->list[i].name);
    }
    free(h->list);
}

int ask_handlers(struct ask *ask, FILE *out)
{
    struct handlers h = {0};
    const char *program = ask->parameter(ask->context, "program");
    int64_t now = format_now_ns();
    if (!ask_number(ask, "since", 0, INT64_MAX, 0, &h.since_ns) ||
        !ask_number(ask, "until", 0, INT64_MAX, now, &h.until_ns) ||
        !ask_number(ask, "cells", 1, CELLS_MOST, 60, &h.cells))
        return 400;
    if (h.until_ns <= h.since_ns)
        return ask_refuse(ask, 400, "until: it must be after since");
    int err = query_handler_totals(ask->view.db, h.since_ns, h.until_ns,
                                   program && *program ? program : NULL,
                                   add_total, &h);
    if (h.count > 0)
        qsort(h.list, h.count, sizeof *h.list, by_self);
    if (!err)
        fprintf(out,
                "{\"since_unix_ns\":%" PRId64 ",\"until_unix_ns\":%" PRId64
                ",\"left_out\":%" PRId64 "}\n",
                h.since_ns, h.until_ns, h.left_out);
    for (size_t i = 0; i < h.count && !err; i++)
        err = put_handler(out, &h, &h.list[i]);
    handlers_free(&h);
    return ask_status(ask, err);
}

/* ---- what is open now ---------------------------------------------------- */

static int put_open(void *context, const struct query_open_call *c)
{
    struct cJSON *o = json_object();
    json_text(o, "trace_id", c->trace);
    json_text(o, "trace_name", c->trace_name);
    json_id(o, "span_id", c->span_id);
    json_text(o, "name", c->name);
    json_int(o, "start_unix_ns", c->start_unix_ns);
    json_count(o, "pid", c->pid);
    json_text(o, "process", c->process);
    json_count(o, "tid", c->tid);
    json_text(o, "thread_name", c->thread);
    json_raw(o, "input", c->input, "{}");
    json_count(o, "limit_ns", c->overdue_ns);
    json_count(o, "overdue_unix_ns", c->overdue_at_unix_ns);
    json_bool(o, "is_innermost", c->is_innermost);
    return json_print(context, o);
}

int ask_open(struct ask *ask, FILE *out)
{
    int64_t limit;
    if (!ask_number(ask, "limit", 1, 10000, 1000, &limit))
        return 400;
    fprintf(out, "{\"now_unix_ns\":%" PRId64 "}\n", format_now_ns());
    return ask_status(ask,
                      query_open_calls(ask->view.db, limit, put_open, out));
}
