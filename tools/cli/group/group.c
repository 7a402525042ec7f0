/* SPDX-License-Identifier: Apache-2.0 */
/* See group.h. */
#include "tools/cli/group/group.h"
#include "lane/format/histogram.h"
#include "tools/common/text/format.h"
#include "tools/common/text/hash.h"
#include "tools/common/text/json.h"
#include "tools/query/detail.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOTS = 32768, /* more than twice the rows, a power of two */
    KEY_BYTES = 4096,
};

/* ---- what is asked for --------------------------------------------------- */

static const char *const plain[] = {"handler", "path", "thread",
                                    "process", "day",  "hour"};
static const char *const sorts[GROUP_SORTS] = {
    "self", "total", "calls", "errors", "cpu", "p50", "p95", "max", "name"};

bool group_parse(const char *text, struct group *out)
{
    static const struct {
        const char *prefix;
        enum group_by by;
    } values[] = {{"input.", GROUP_INPUT},
                  {"output.", GROUP_OUTPUT},
                  {"attr.", GROUP_ATTRIBUTE}};
    *out = (struct group){0};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(text, plain[i]) == 0) {
            out->by = (enum group_by)i;
            return true;
        }
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        size_t len = strlen(values[i].prefix);
        if (strncmp(text, values[i].prefix, len) == 0 && text[len]) {
            out->by = values[i].by;
            out->key = text + len;
            return true;
        }
    }
    return false;
}

bool group_parse_sort(const char *text, enum group_sort *out)
{
    for (int i = 0; i < GROUP_SORTS; i++)
        if (strcmp(text, sorts[i]) == 0) {
            *out = (enum group_sort)i;
            return true;
        }
    return false;
}

const char *group_sorts(void)
{
    return "self, total, calls, errors, cpu, p50, p95, max, name";
}

/* ---- rows ---------------------------------------------------------------- */

int group_begin(struct group *g)
{
    g->row = calloc(GROUP_ROWS + 1, sizeof *g->row);
    g->slot = calloc(SLOTS, sizeof *g->slot);
    if (g->row && g->slot)
        return 0;
    group_free(g);
    return -ENOMEM;
}

/* The number of the row of this key; -1: no memory. */
static int row_of(struct group *g, const char *key)
{
    if (g->count == GROUP_ROWS)
        key = "(others)";
    uint64_t at = hash_text(HASH_BEGIN, key);
    for (;; at++) {
        uint32_t *slot = &g->slot[at % SLOTS];
        if (*slot && strcmp(g->row[*slot - 1].key, key) == 0)
            return (int)*slot - 1;
        if (*slot)
            continue;
        if (g->count > GROUP_ROWS)
            return GROUP_ROWS;
        struct group_row *r = &g->row[g->count];
        *r = (struct group_row){
            .key = strdup(key),
            .cpu_ns = -1,
            .buckets = calloc(LANE_HISTOGRAM_BUCKETS, sizeof *r->buckets)};
        if (!r->key || !r->buckets) {
            free(r->key);
            free(r->buckets);
            return -1;
        }
        *slot = (uint32_t)++g->count;
        return (int)g->count - 1;
    }
}

static void add_call(struct group_row *r, const struct query_span *s)
{
    r->calls++;
    r->errors += s->status && strcmp(s->status, "error") == 0;
    if (s->duration_ns < 0)
        return; /* it goes on, or nobody saw its end */
    r->total_ns += s->duration_ns;
    r->self_ns += s->self_ns > 0 ? s->self_ns : 0;
    r->max_ns = s->duration_ns > r->max_ns ? s->duration_ns : r->max_ns;
    if (s->cpu_ns >= 0)
        r->cpu_ns = (r->cpu_ns < 0 ? 0 : r->cpu_ns) + s->cpu_ns;
    r->buckets[lane_histogram_bucket((uint64_t)s->duration_ns)]++;
}

/* ---- keys ---------------------------------------------------------------- */

/* Calls of the trace that is read, by reference: the row of their path. Parents
 * begin before their children. */
struct seen {
    int64_t session, ref;
    int row;
};
struct adding {
    struct group *g;
    struct view *view;
    int64_t trace;
    struct seen *seen;
    size_t count, cap; /* cap: a power of two; slots with row -1 are free */
};

static struct seen *seen_at(struct adding *a, int64_t session, int64_t ref)
{
    uint64_t at = (uint64_t)ref * UINT64_C(0x9e3779b97f4a7c15) ^
                  (uint64_t)session * UINT64_C(0x94d049bb133111eb);
    for (at ^= at >> 29;; at++) {
        struct seen *s = &a->seen[at & (a->cap - 1)];
        if (s->row < 0 || (s->session == session && s->ref == ref))
            return s;
    }
}

static int seen_grow(struct adding *a)
{
    struct seen *old = a->seen;
    size_t cap = a->cap;
    if (a->count * 2 < cap)
        return 0;
    a->cap = cap ? cap * 2 : 1024;
    a->seen = malloc(a->cap * sizeof *a->seen);
    if (!a->seen) {
        a->seen = old;
        a->cap = cap;
        return -ENOMEM;
    }
    for (size_t i = 0; i < a->cap; i++)
        a->seen[i].row = -1;
    for (size_t i = 0; i < cap; i++)
        if (old[i].row >= 0)
            *seen_at(a, old[i].session, old[i].ref) = old[i];
    free(old);
    return 0;
}

/* "run > extract"; a call of itself is on its own path. */
static int path_row(struct adding *a, const struct query_span *s,
                    const char *name)
{
    char path[KEY_BYTES];
    if (seen_grow(a) != 0)
        return -1;
    const struct seen *up = seen_at(a, s->session, s->parent_ref);
    const char *around = up->row >= 0 ? a->g->row[up->row].key : "";
    const char *last = strrchr(around, '>');
    bool is_itself = strcmp(last ? last + 2 : around, name) == 0;
    snprintf(path, sizeof path, "%s%s%s", around,
             *around && !is_itself ? " > " : "", is_itself ? "" : name);
    int row = row_of(a->g, path);
    struct seen *own = seen_at(a, s->session, s->ref);
    a->count += own->row < 0;
    *own = (struct seen){s->session, s->ref, row};
    return row;
}

/* In `out`; NULL: the call has no such value. */
static const char *value_of(const struct group *g, const struct query_span *s,
                            char *out, size_t cap)
{
    const char *json = g->by == GROUP_INPUT    ? s->input
                       : g->by == GROUP_OUTPUT ? s->output
                                               : s->attributes;
    return json && json_member_text(json, g->key, out, cap) ? out : NULL;
}

/* Day or hour of its start, local time. */
static const char *time_of(const struct group *g, const struct query_span *s,
                           char *out, size_t cap)
{
    snprintf(out, cap, "%.*s", g->by == GROUP_DAY ? 10 : 13,
             format_time_short(s->start_unix_ns).text);
    return out;
}

static const char *key_of(const struct adding *a, const struct query_span *s,
                          const char *name, char *out, size_t cap)
{
    const struct query_thread *t;
    const struct query_process *p;
    switch (a->g->by) {
    case GROUP_HANDLER:
        return name;
    case GROUP_THREAD:
        t = query_thread_find(&a->g->detail, s->session, s->ref, s->generation);
        return t && t->name ? t->name : "?";
    case GROUP_PROCESS:
        p = query_process_find(&a->g->detail, s->session, s->process_idx);
        return p && p->name ? p->name : "?";
    case GROUP_DAY:
    case GROUP_HOUR:
        return time_of(a->g, s, out, cap);
    default:
        return value_of(a->g, s, out, cap);
    }
}

static int other_detail(struct adding *a)
{
    query_detail_free(&a->g->detail);
    a->g->detail = (struct query_detail){0};
    return query_detail_load(a->view->db, a->trace, &a->g->detail);
}

static int add_span(void *context, const struct query_span *s)
{
    struct adding *a = context;
    char text[KEY_BYTES];
    int err =
        query_session_find(&a->g->detail, s->session) ? 0 : other_detail(a);
    if (err)
        return err;
    const struct query_site *site =
        query_site_find(&a->g->detail, s->session, s->site);
    const char *name = site && site->name ? site->name : "?";
    const char *key = NULL;
    int row = -1;
    a->g->spans++;
    if (a->g->by == GROUP_PATH) {
        row = path_row(a, s, name);
    } else if ((key = key_of(a, s, name, text, sizeof text))) {
        row = row_of(a->g, key);
    } else {
        a->g->without_key++;
        return 0;
    }
    if (row < 0)
        return -ENOMEM;
    add_call(&a->g->row[row], s);
    return 0;
}

int group_add(struct view *v, struct group *g, const struct query_trace *t)
{
    struct adding a = {.g = g, .view = v, .trace = t->trace};
    g->traces++;
    share_sum_add(&g->sum, t);
    g->dropped_calls += t->dropped_calls;
    int err = query_spans(v->db, t->trace, g->by >= GROUP_INPUT, add_span, &a);
    free(a.seen);
    return err;
}

/* ---- the end ------------------------------------------------------------- */

static int64_t percentile(const struct group_row *r, int64_t percent)
{
    int64_t all = 0, seen = 0;
    for (uint32_t i = 0; i < LANE_HISTOGRAM_BUCKETS; i++)
        all += r->buckets[i];
    int64_t want = (all * percent + 99) / 100;
    for (uint32_t i = 0; i < LANE_HISTOGRAM_BUCKETS && all > 0; i++) {
        seen += r->buckets[i];
        if (seen >= want) {
            int64_t middle = (int64_t)lane_histogram_middle(i);
            return middle < r->max_ns ? middle : r->max_ns;
        }
    }
    return -1;
}

static int64_t figure(const struct group_row *r, enum group_sort sort)
{
    switch (sort) {
    case GROUP_TOTAL:
        return r->total_ns;
    case GROUP_CALLS:
        return r->calls;
    case GROUP_ERRORS:
        return r->errors;
    case GROUP_CPU:
        return r->cpu_ns;
    case GROUP_P50:
        return r->p50_ns;
    case GROUP_P95:
        return r->p95_ns;
    case GROUP_MAX:
        return r->max_ns;
    case GROUP_NAME:
        return 0;
    default:
        return r->self_ns;
    }
}

static int by_figure(const void *a, const void *b, void *sort)
{
    const struct group_row *x = a, *y = b;
    const enum group_sort *by = sort;
    int64_t of_x = figure(x, *by), of_y = figure(y, *by);
    if (of_x != of_y)
        return of_x < of_y ? 1 : -1;
    return strcmp(x->key, y->key);
}

void group_finish(struct group *g, enum group_sort sort)
{
    for (size_t i = 0; i < g->count; i++) {
        g->row[i].p50_ns = percentile(&g->row[i], 50);
        g->row[i].p95_ns = percentile(&g->row[i], 95);
    }
    if (g->count)
        qsort_r(g->row, g->count, sizeof *g->row, by_figure, &sort);
}

void group_free(struct group *g)
{
    for (size_t i = 0; g->row && i < g->count; i++) {
        free(g->row[i].key);
        free(g->row[i].buckets);
    }
    query_detail_free(&g->detail);
    free(g->row);
    free(g->slot);
    g->row = NULL;
    g->slot = NULL;
    g->count = 0;
}
