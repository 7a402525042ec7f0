/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of a trace at a resolution, and its calls one by one; see ask.h. */
#include "tools/cli/rows/rows.h"
#include "lane/format/ids.h"
#include "tools/common/text/buf.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include "tools/query/tree.h"
#include "tools/serve/ask.h"
#include "tools/serve/bars.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    FOUND_MOST = 2000,
    LINKS_MOST = 2000,
    CHILDREN_MOST = 200,
};
static const int64_t ns_most = INT64_C(1) << 53; /* what JSON's numbers hold */

/* ---- lanes --------------------------------------------------------------- */

static struct cJSON *process_json(const struct bars *b,
                                  const struct query_process *p)
{
    struct cJSON *o = json_object();
    json_count(o, "pid", p->pid);
    json_text(o, "name", p->name);
    json_raw(o, "command", p->command, "null");
    json_id(o, "span_id",
            query_span_id(&b->detail, p->session, query_process_ref(p->idx)));
    json_int(o, "start_ns", p->start_unix_ns - b->trace.start_unix_ns);
    json_count(o, "duration_ns", p->duration_ns);
    json_count(o, "loading_ns", p->loading_ns);
    json_text(o, "status", p->status);
    json_count(o, "exit_code", p->exit_code);
    json_count(o, "signal", p->signal);
    return o;
}

static struct cJSON *lane_json(const struct bars *b, const struct bar_lane *l)
{
    struct cJSON *o = json_object();
    const struct query_thread *t =
        query_thread_find(&b->detail, l->session,
                          (int64_t)((uint64_t)l->number << 48), l->generation);
    const struct query_process *p =
        query_process_find(&b->detail, l->session, l->process_idx);
    json_count(o, "process", p ? p - b->detail.processes : -1);
    json_count(o, "tid", t ? t->tid : -1);
    json_text(o, "thread_name", t ? t->name : NULL);
    const struct query_session *s = query_session_find(&b->detail, l->session);
    json_id(o, "session", s ? s->key : 0);
    json_int(o, "lane", l->number);
    json_int(o, "rows", l->rows);
    json_int(o, "calls", l->bars);
    json_int(o, "errors", l->failed);
    return o;
}

int ask_lanes(struct ask *ask, FILE *out)
{
    int err;
    const struct bars *b = bars_take(ask->view.db, ask->trace, &err);
    if (!b)
        return ask_status(ask, err);
    struct cJSON *o = json_object(), *processes = json_array(),
                 *lanes = json_array(), *names = json_array();
    json_text(o, "trace_id", b->trace.hex);
    json_int(o, "start_unix_ns", b->trace.start_unix_ns);
    int64_t now = format_now_ns() - b->trace.start_unix_ns;
    json_int(o, "end_ns", b->is_final || now < b->end_ns ? b->end_ns : now);
    json_bool(o, "is_final", b->is_final);
    json_int(o, "spans", (int64_t)b->count);
    json_int(o, "left_out", b->left_out);
    for (size_t i = 0; i < b->detail.process_count; i++)
        json_append(processes, b->detail.processes[i].trace == b->trace.trace
                                   ? process_json(b, &b->detail.processes[i])
                                   : json_object());
    for (size_t i = 0; i < b->lane_count; i++)
        json_append(lanes, lane_json(b, &b->lane[i]));
    for (size_t i = 0; i < b->detail.site_count; i++)
        json_append_text(
            names, b->detail.sites[i].name ? b->detail.sites[i].name : "?");
    json_object_add(o, "processes", processes);
    json_object_add(o, "lanes", lanes);
    json_object_add(o, "names", names);
    err = json_print(out, o);
    bars_release(b);
    return ask_status(ask, err);
}

/* ---- a window ------------------------------------------------------------ */

struct window {
    int64_t from_ns, to_ns, cell_ns;
    int64_t first_lane, last_lane;
    const struct bars *bars;
    struct buf text;
};

/* A bar, or several that are narrower than a cell: start, duration (-1: open),
 * name, flags, how many, and the number of the longest in its lane. */
struct block {
    int64_t start_ns, end_ns, longest_ns, count;
    const struct bar *longest;
    uint8_t flags;
};

static int64_t site_of(const struct bar *bar)
{
    return bar->site == UINT32_MAX ? -1 : (int64_t)bar->site;
}

static void put_block(struct window *w, const struct block *k)
{
    struct buf *b = &w->text;
    if (k->count == 0)
        return;
    buf_number(b, k->start_ns);
    buf_char(b, ',');
    buf_number(b, k->end_ns == INT64_MAX ? -1 : k->end_ns - k->start_ns);
    buf_char(b, ',');
    buf_number(b, site_of(k->longest));
    buf_char(b, ',');
    buf_number(b, k->flags);
    buf_char(b, ',');
    buf_number(b, k->count);
    buf_char(b, ',');
    buf_number(b, k->longest->ref & ((INT64_C(1) << 48) - 1));
    buf_char(b, ',');
}

static int64_t bar_ns(const struct bar *bar)
{
    return bar->end_ns == INT64_MAX ? INT64_MAX : bar->end_ns - bar->start_ns;
}

static void join(struct window *w, struct block *k, const struct bar *bar)
{
    int64_t ns = bar_ns(bar);
    bool fits = k->count > 0 && ns < w->cell_ns &&
                bar->start_ns - k->start_ns < w->cell_ns &&
                k->end_ns - k->start_ns < w->cell_ns;
    if (!fits) {
        put_block(w, k);
        *k = (struct block){
            .start_ns = bar->start_ns, .longest_ns = -1, .end_ns = bar->end_ns};
    }
    k->count++;
    k->flags |= bar->flags;
    if (bar->end_ns > k->end_ns)
        k->end_ns = bar->end_ns;
    if (ns > k->longest_ns) {
        k->longest_ns = ns;
        k->longest = bar;
    }
}

/* The first bar of a group that ends after `from`. */
static size_t first_after(const struct bars *b, size_t low, size_t high,
                          int64_t from_ns)
{
    size_t begin = low;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (b->bar[middle].start_ns < from_ns)
            low = middle + 1;
        else
            high = middle;
    }
    while (low > begin && b->bar[low - 1].end_ns > from_ns)
        low--;
    return low;
}

static void put_rows(struct window *w, size_t lane, bool *is_first)
{
    const struct bars *b = w->bars;
    for (uint32_t row = 0; row < b->lane[lane].rows; row++) {
        size_t group = b->lane[lane].first + row;
        size_t end = b->group[group + 1];
        size_t at = first_after(b, b->group[group], end, w->from_ns);
        if (at == end || b->bar[at].start_ns >= w->to_ns)
            continue;
        struct block k = {0};
        buf_printf(&w->text, "%s[%zu,%u,[", *is_first ? "" : ",\n", lane, row);
        *is_first = false;
        for (; at < end && b->bar[at].start_ns < w->to_ns; at++)
            join(w, &k, &b->bar[at]);
        put_block(w, &k);
        w->text.len_bytes -= w->text.len_bytes > 0; /* the last comma */
        buf_text(&w->text, "]]");
    }
}

static bool is_shown(const struct window *w, const struct bar *bar)
{
    return (int64_t)bar->lane >= w->first_lane &&
           (int64_t)bar->lane <= w->last_lane;
}

/* From the end of what carried it, or its begin, to the begin of what took it
 * up: lane, row, time twice, and whether it is a link. */
static void put_links(struct window *w)
{
    const struct bars *b = w->bars;
    int64_t last_ns = 0, skip_ns = w->cell_ns / 2;
    int count = 0;
    for (size_t i = 0; i < b->link_count && count < LINKS_MOST; i++) {
        const struct bar *from = &b->bar[b->link[i].from],
                         *to = &b->bar[b->link[i].to];
        if (to->start_ns < w->from_ns || from->start_ns > w->to_ns ||
            !(is_shown(w, from) || is_shown(w, to)) ||
            (count > 0 && to->start_ns - last_ns < skip_ns))
            continue;
        last_ns = to->start_ns;
        int64_t at = from->start_ns;
        if (b->link[i].is_named && from->end_ns < to->start_ns)
            at = from->end_ns;
        buf_printf(&w->text, "%s[%u,%u,%" PRId64 ",%u,%u,%" PRId64 ",%d]",
                   count++ ? "," : "", from->lane, from->row, at, to->lane,
                   to->row, to->start_ns, b->link[i].is_named);
    }
}

static bool read_window(struct ask *ask, const struct bars *b, struct window *w)
{
    int64_t px;
    int64_t last = b->lane_count ? (int64_t)b->lane_count - 1 : 0;
    *w = (struct window){.bars = b};
    if (!ask_number(ask, "from", -ns_most, ns_most, 0, &w->from_ns) ||
        !ask_number(ask, "to", -ns_most, ns_most, b->end_ns + 1, &w->to_ns) ||
        !ask_number(ask, "px", 1, 100000, 2000, &px) ||
        !ask_number(ask, "first", 0, UINT32_MAX, 0, &w->first_lane) ||
        !ask_number(ask, "last", 0, UINT32_MAX, last, &w->last_lane))
        return false;
    if (w->to_ns <= w->from_ns) {
        ask_refuse(ask, 400, "to: it must be after from");
        return false;
    }
    w->last_lane = w->last_lane > last ? last : w->last_lane;
    w->cell_ns = (w->to_ns - w->from_ns) / px;
    w->cell_ns = w->cell_ns > 0 ? w->cell_ns : 1;
    return true;
}

int ask_bars(struct ask *ask, FILE *out)
{
    int err;
    struct window w;
    const struct bars *b = bars_take(ask->view.db, ask->trace, &err);
    if (!b)
        return ask_status(ask, err);
    if (!read_window(ask, b, &w)) {
        bars_release(b);
        return 400;
    }
    bool is_first = true;
    buf_init(&w.text, (size_t)256 << 20);
    buf_printf(&w.text,
               "{\"from_ns\":%" PRId64 ",\"to_ns\":%" PRId64
               ",\"cell_ns\":%" PRId64 ",\"rows\":[",
               w.from_ns, w.to_ns, w.cell_ns);
    for (int64_t i = w.first_lane; i <= w.last_lane && b->lane_count; i++)
        put_rows(&w, (size_t)i, &is_first);
    buf_text(&w.text, "],\"links\":[");
    put_links(&w);
    buf_text(&w.text, "]}\n");
    err = w.text.failed ? -ENOMEM : 0;
    if (!err)
        fwrite(w.text.text, 1, w.text.len_bytes, out);
    buf_free(&w.text);
    bars_release(b);
    return ask_status(ask, err);
}

/* ---- calls one by one ---------------------------------------------------- */

static void put_place(FILE *out, const char *before, const struct bars *b,
                      const struct bar *bar)
{
    int64_t ns = bar->end_ns == INT64_MAX ? -1 : bar->end_ns - bar->start_ns;
    fprintf(out,
            "%s{\"span_id\":\"%016" PRIx64 "\",\"lane\":%u,\"row\":%u,"
            "\"start_ns\":%" PRId64 ",\"duration_ns\":%" PRId64
            ",\"name\":%" PRId64 ",\"flags\":%u}",
            before, query_span_id(&b->detail, bars_session(b, bar), bar->ref),
            bar->lane, bar->row, bar->start_ns, ns, site_of(bar), bar->flags);
}

struct found {
    const struct bars *bars;
    FILE *out;
    int count;
};

static int put_found(void *context, int64_t session, int64_t ref)
{
    struct found *f = context;
    const struct bar *bar = bars_find(f->bars, session, ref);
    if (bar)
        put_place(f->out, f->count++ ? "," : "", f->bars, bar);
    return 0;
}

/* By the name of the handler, in any case, or only those that failed. */
static void find_names(struct found *f, const char *text, bool failed,
                       int64_t limit)
{
    const struct bars *b = f->bars;
    size_t sites = b->detail.site_count;
    bool *is_wanted = calloc(sites + 1, sizeof *is_wanted);
    for (size_t i = 0; is_wanted && i < sites; i++)
        is_wanted[i] = b->detail.sites[i].name &&
                       strcasestr(b->detail.sites[i].name, text);
    for (size_t i = 0; is_wanted && i < b->count && f->count < limit; i++) {
        const struct bar *bar = &b->bar[i];
        bool is_named = bar->site != UINT32_MAX && is_wanted[bar->site];
        if ((is_named || !*text) && (!failed || bar->flags & BAR_FAILED))
            put_place(f->out, f->count++ ? "," : "", b, bar);
    }
    free(is_wanted);
}

int ask_find(struct ask *ask, FILE *out)
{
    const char *text = ask->parameter(ask->context, "text"),
               *in = ask->parameter(ask->context, "in");
    int64_t limit;
    int err;
    if (!ask_number(ask, "limit", 1, FOUND_MOST, FOUND_MOST, &limit))
        return 400;
    const struct bars *b = bars_take(ask->view.db, ask->trace, &err);
    if (!b)
        return ask_status(ask, err);
    struct found f = {.bars = b, .out = out};
    fputs("{\"found\":[", out);
    if (in && strcmp(in, "values") == 0)
        err = text && *text ? query_find(ask->view.db, b->trace.trace, text,
                                         limit, put_found, &f)
                            : 0;
    else
        find_names(&f, text ? text : "", in && strcmp(in, "failed") == 0,
                   limit);
    fprintf(out, "],\"is_all\":%s}\n", f.count < limit ? "true" : "false");
    bars_release(b);
    return ask_status(ask, err);
}

struct one {
    const struct bars *bars;
    FILE *out;
    int seen;
    struct buf reason; /* why it failed, as on the screens */
};

static int put_row(void *context, const struct row_span *r)
{
    struct one *o = context;
    o->seen++;
    if (r->span->error)
        query_error_line(r->span->error, true, &o->reason);
    return row_span(o->out, &o->bars->trace, &o->bars->detail, r);
}

static int put_span(void *context, const struct query_span *s)
{
    const struct one *o = context;
    struct row_span r = row_span_of(&o->bars->detail, s);
    return put_row(context, &r);
}

static int put_reason(const struct one *o)
{
    struct cJSON *line = json_object();
    json_text(line, "kind", "reason");
    json_text(line, "text", *buf_get(&o->reason) ? buf_get(&o->reason) : NULL);
    return json_print(o->out, line);
}

/* What stands around it: its own place, what is above and what is below. */
static int put_around(struct one *o, int64_t session, int64_t ref)
{
    const struct bars *b = o->bars;
    const struct bar *bar = bars_find(b, session, ref);
    int count = 0;
    fputs("{\"kind\":\"around\",\"place\":", o->out);
    if (bar)
        put_place(o->out, "", b, bar);
    else
        fputs("null", o->out);
    fputs(",\"above\":[", o->out);
    for (int deep = 0; bar && deep < BARS_ROWS; deep++) {
        bar =
            bar->parent_ref > 0 ? bars_find(b, session, bar->parent_ref) : NULL;
        if (bar)
            put_place(o->out, deep ? "," : "", b, bar);
    }
    fputs("],\"below\":[", o->out);
    for (size_t i = 0; i < b->count && count < CHILDREN_MOST; i++)
        if (b->bar[i].parent_ref == ref &&
            bars_session(b, &b->bar[i]) == session)
            put_place(o->out, count++ ? "," : "", b, &b->bar[i]);
    fprintf(o->out, "],\"is_all\":%s}\n",
            count < CHILDREN_MOST ? "true" : "false");
    return 0;
}

/* In which session is it? Its reference says so in one alone. */
static int find_one(struct query_db *db, struct one *o, uint64_t id)
{
    const struct query_detail *d = &o->bars->detail;
    int err = 0;
    for (size_t i = 0; i < d->session_count && !err && !o->seen; i++) {
        const struct query_session *s = &d->sessions[i];
        int64_t ref = (int64_t)lane_span_ref(s->key, id);
        const struct query_process *p =
            query_process_find(d, s->session, query_ref_process(ref));
        if (ref < 0 && p && p->trace == o->bars->trace.trace)
            err = row_process(d, p, put_row, o);
        else if (ref > 0)
            err = query_one_span(db, o->bars->trace.trace, s->session, ref,
                                 put_span, o);
        if (!err && o->seen)
            err = put_around(o, s->session, ref);
        if (!err && o->seen)
            err = put_reason(o);
    }
    return err;
}

int ask_span(struct ask *ask, FILE *out)
{
    int err;
    const struct bars *b = bars_take(ask->view.db, ask->trace, &err);
    if (!b)
        return ask_status(ask, err);
    struct one o = {.bars = b, .out = out};
    buf_init(&o.reason, 8192);
    err = find_one(ask->view.db, &o, strtoull(ask->span, NULL, 16));
    int status = !err && !o.seen
                     ? ask_refuse(ask, 404, "no such call in this trace")
                     : ask_status(ask, err);
    buf_free(&o.reason);
    bars_release(b);
    return status;
}
