/* SPDX-License-Identifier: Apache-2.0 */
/* Loading the bars of a trace; see bars.h. */
#include "tools/serve/bars.h"
#include "lane/format/ids.h"
#include "tools/serve/bars_order.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct loader {
    struct bars *bars;
    size_t cap, lane_cap;
    uint32_t last; /* lane */
    struct named { /* calls that name others */
        int64_t session, ref;
        char *links;
    } * named;
    size_t named_count, named_cap;
};

static int64_t lane_of(int64_t ref)
{
    return (int64_t)((uint64_t)ref >> 48);
}

int64_t bars_session(const struct bars *b, const struct bar *bar)
{
    return b->lane[bar->lane].session;
}

static bool grow(void *array, size_t count, size_t *cap, size_t size)
{
    void *more, *old;
    if (count < *cap)
        return true;
    size_t wanted = *cap ? 2 * *cap : 64;
    memcpy(&old, array, sizeof old);
    more = reallocarray(old, wanted, size);
    if (!more)
        return false;
    memcpy(array, &more, sizeof more);
    *cap = wanted;
    return true;
}

static bool is_lane(const struct bar_lane *l, const struct query_span *q)
{
    return l->number == lane_of(q->ref) && l->session == q->session &&
           l->generation == q->generation;
}

/* The lane of a call, made if it is the first; UINT32_MAX: no memory. */
static uint32_t take_lane(struct loader *l, const struct query_span *q)
{
    struct bars *b = l->bars;
    if (b->lane_count && is_lane(&b->lane[l->last], q))
        return l->last;
    for (size_t i = b->lane_count; i-- > 0;) /* young threads work most */
        if (is_lane(&b->lane[i], q))
            return l->last = (uint32_t)i;
    if (!grow(&b->lane, b->lane_count, &l->lane_cap, sizeof *b->lane))
        return UINT32_MAX;
    b->lane[b->lane_count] = (struct bar_lane){.session = q->session,
                                               .number = lane_of(q->ref),
                                               .generation = q->generation,
                                               .process_idx = q->process_idx,
                                               .first_ns = INT64_MAX};
    return l->last = (uint32_t)b->lane_count++;
}

static uint8_t flags_of(const char *status)
{
    if (!status || strcmp(status, "ok") == 0)
        return 0;
    return strcmp(status, "error") == 0  ? BAR_FAILED
           : strcmp(status, "open") == 0 ? BAR_OPEN
                                         : BAR_UNFINISHED;
}

static bool add_name(struct loader *l, const struct query_span *q)
{
    if (strcmp(q->links, "[]") == 0)
        return true;
    if (!grow(&l->named, l->named_count, &l->named_cap, sizeof *l->named))
        return false;
    struct named *n = &l->named[l->named_count];
    *n = (struct named){q->session, q->ref, strdup(q->links)};
    l->named_count += n->links != NULL;
    return n->links != NULL;
}

static int add(void *context, const struct query_span *q)
{
    struct loader *l = context;
    struct bars *b = l->bars;
    if (b->count >= BARS_MOST) {
        b->left_out++;
        return 0;
    }
    if (!grow(&b->bar, b->count, &l->cap, sizeof *b->bar))
        return -ENOMEM;
    uint32_t lane = take_lane(l, q);
    if (lane == UINT32_MAX || (q->links && !add_name(l, q)))
        return -ENOMEM;
    const struct query_site *site =
        query_site_find(&b->detail, q->session, q->site);
    int64_t start = q->start_unix_ns - b->trace.start_unix_ns;
    uint8_t flags = flags_of(q->status);
    int64_t end = flags & BAR_OPEN
                      ? INT64_MAX
                      : start + (q->duration_ns > 0 ? q->duration_ns : 0);
    b->bar[b->count++] = (struct bar){
        .start_ns = start,
        .end_ns = end,
        .ref = q->ref,
        .parent_ref = q->parent_ref,
        .site = site ? (uint32_t)(site - b->detail.sites) : UINT32_MAX,
        .lane = lane,
        .flags = flags};
    if (end != INT64_MAX && end > b->end_ns)
        b->end_ns = end;
    b->end_ns = start > b->end_ns ? start : b->end_ns;
    b->lane[lane].bars++;
    if (start < b->lane[lane].first_ns)
        b->lane[lane].first_ns = start;
    b->lane[lane].failed += flags == BAR_FAILED;
    return 0;
}

/* ---- links --------------------------------------------------------------- */

struct places {   /* bars by session and reference */
    uint32_t *at; /* bar + 1 */
    size_t mask;
};

static size_t place_of(const struct places *p, int64_t session, int64_t ref)
{
    return (size_t)lane_mix64((uint64_t)ref ^ (uint64_t)session << 40) &
           p->mask;
}

static size_t find_bar(const struct bars *b, const struct places *p,
                       int64_t session, int64_t ref)
{
    for (size_t at = place_of(p, session, ref); p->at[at];
         at = (at + 1) & p->mask) {
        const struct bar *bar = &b->bar[p->at[at] - 1];
        if (bar->ref == ref && bars_session(b, bar) == session)
            return p->at[at] - 1;
    }
    return SIZE_MAX;
}

static int make_places(const struct bars *b, struct places *p)
{
    size_t size = 16;
    while (size < 2 * (b->count + 1))
        size *= 2;
    p->mask = size - 1;
    p->at = calloc(size, sizeof *p->at);
    for (size_t i = 0; p->at && i < b->count; i++) {
        size_t at = place_of(p, bars_session(b, &b->bar[i]), b->bar[i].ref);
        while (p->at[at])
            at = (at + 1) & p->mask;
        p->at[at] = (uint32_t)i + 1;
    }
    return p->at ? 0 : -ENOMEM;
}

static int add_link(struct bars *b, size_t from, size_t to, bool is_named)
{
    if (from == SIZE_MAX || from == to)
        return 0;
    if (!grow(&b->link, b->link_count, &b->link_cap, sizeof *b->link))
        return -ENOMEM;
    b->link[b->link_count++] =
        (struct bar_link){.from = from, .to = to, .is_named = is_named};
    return 0;
}

/* The span ids in the JSON of `links`, as this store writes it. */
static int add_named(struct bars *b, const struct places *p, size_t to,
                     const char *json)
{
    static const char key[] = "\"span_id\":\"";
    int err = 0;
    for (const char *at = json; !err && (at = strstr(at, key));) {
        at += sizeof key - 1;
        uint64_t id = strtoull(at, NULL, 16);
        for (size_t i = 0; i < b->detail.session_count && !err; i++) {
            const struct query_session *s = &b->detail.sessions[i];
            err = add_link(
                b,
                find_bar(b, p, s->session, (int64_t)lane_span_ref(s->key, id)),
                to, true);
        }
    }
    return err;
}

static _Thread_local const struct bars *sort_bars;
static int by_target(const void *a, const void *b)
{
    const struct bar_link *x = a, *y = b;
    int64_t at = sort_bars->bar[x->to].start_ns,
            other = sort_bars->bar[y->to].start_ns;
    return at < other ? -1 : at > other;
}

static bool is_carried(const struct bar *bar)
{
    return bar->parent_ref > 0 && lane_of(bar->parent_ref) != lane_of(bar->ref);
}

static int link_bars(struct bars *b, const struct loader *l)
{
    struct places p = {0};
    size_t first = 0;
    while (first < b->count && !is_carried(&b->bar[first]))
        first++;
    if (first == b->count && !l->named_count)
        return 0;
    int err = make_places(b, &p);
    for (size_t i = first; i < b->count && !err; i++) {
        const struct bar *bar = &b->bar[i];
        if (is_carried(bar))
            err = add_link(
                b, find_bar(b, &p, bars_session(b, bar), bar->parent_ref), i,
                false);
    }
    for (size_t i = 0; i < l->named_count && !err; i++) {
        const struct named *n = &l->named[i];
        size_t to = find_bar(b, &p, n->session, n->ref);
        err = to == SIZE_MAX ? 0 : add_named(b, &p, to, n->links);
    }
    free(p.at);
    sort_bars = b;
    if (b->link_count)
        qsort(b->link, b->link_count, sizeof *b->link, by_target);
    return err;
}

/* ---- all of it ----------------------------------------------------------- */

static int find_trace(struct query_db *db, const char *hex,
                      struct query_trace *out)
{
    const struct query_filter all = {.pid = -1};
    struct query_choice c = {0};
    char why[256];
    int err = query_choose(db, hex, &all, &c, why, sizeof why);
    if (!err && c.count == 1) {
        *out = c.found[0];
        c.found[0] = (struct query_trace){0};
    } else if (!err) {
        err = -ENOENT;
    }
    query_choice_free(&c);
    return err;
}

static void set_axis(struct bars *b)
{
    if (b->trace.duration_ns > b->end_ns)
        b->end_ns = b->trace.duration_ns;
    for (size_t i = 0; i < b->detail.process_count; i++) {
        const struct query_process *p = &b->detail.processes[i];
        int64_t end = p->start_unix_ns - b->trace.start_unix_ns +
                      (p->duration_ns > 0 ? p->duration_ns : 0);
        if (p->trace == b->trace.trace && end > b->end_ns)
            b->end_ns = end;
    }
    b->is_final = b->trace.duration_ns >= 0 && b->trace.status &&
                  strcmp(b->trace.status, "open") != 0;
}

int bars_load(struct query_db *db, const char *hex, struct bars *out)
{
    struct loader l = {.bars = out};
    *out = (struct bars){0};
    int err = find_trace(db, hex, &out->trace);
    if (!err)
        err = query_detail_load(db, out->trace.trace, &out->detail);
    if (!err)
        err = query_bars(db, out->trace.trace, out->trace.calls > BARS_MOST,
                         add, &l);
    err = err ? err : bars_order(out);
    err = err ? err : link_bars(out, &l);
    set_axis(out);
    for (size_t i = 0; i < l.named_count; i++)
        free(l.named[i].links);
    free(l.named);
    if (err)
        bars_free(out);
    return err;
}

void bars_free(struct bars *b)
{
    query_trace_free(&b->trace);
    query_detail_free(&b->detail);
    free(b->bar);
    free(b->lane);
    free(b->group);
    free(b->link);
    free(b->path);
    *b = (struct bars){0};
}

const struct bar *bars_find(const struct bars *b, int64_t session, int64_t ref)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->bar[i].ref == ref && bars_session(b, &b->bar[i]) == session)
            return &b->bar[i];
    return NULL;
}

static const struct bar *find_in(const struct bars *b, size_t group,
                                 int64_t ref, int64_t start_ns)
{
    size_t low = b->group[group], high = b->group[group + 1], end = high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (b->bar[middle].start_ns < start_ns)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < end && b->bar[low].start_ns == start_ns; low++)
        if (b->bar[low].ref == ref)
            return &b->bar[low];
    return NULL;
}

const struct bar *bars_find_at(const struct bars *b, int64_t session,
                               int64_t ref, int64_t start_ns)
{
    const struct bar *found = NULL;
    for (size_t i = 0; i < b->lane_count && !found; i++) {
        const struct bar_lane *l = &b->lane[i];
        if (l->session != session || l->number != lane_of(ref))
            continue;
        for (uint32_t row = 0; row < l->rows && !found; row++)
            found = find_in(b, l->first + row, ref, start_ns);
    }
    return found;
}
