/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Perfetto's protobuf: TracePackets, one behind the other. A process and a
 * thread is a track, a call a slice of its thread's; a viewer makes the tree of
 * a track from the order of begins and ends. What overlaps what is open (two-
 * call spans, fibers) stands on a further track of the thread. Names come once,
 * in the first packet. Times are those of the store, as Perfetto's own clock
 * and as the time of day.
 */
#include "lane/format/ids.h"
#include "tools/cli/export/export_lines.h"
#include "tools/upload/otlp/otlp_emit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLICE_BEGIN = 1,
    SLICE_END = 2,
    SEQUENCE = 1, /* all of it is one writer's */
    STATE_CLEARED = 1,
    STATE_NEEDED = 2,
    CLOCK_REALTIME_ID = 1,
    CLOCK_BOOTTIME_ID = 6, /* Perfetto's own */
    MOST_BYTES = 128 << 20 /* of a packet */
};
static const char *const annotations[] = {
    "span_id", "parent_span_id", "status",    "ended_by",
    "self_ns", "cpu_ns",         "loading_ns"};

struct slice {
    uint64_t id;
    int64_t end_ns; /* INT64_MAX: it still runs, and has no end */
};
struct track {
    uint64_t uuid; /* 0: not described yet */
    size_t thread; /* index, thread_count: unknown */
    struct slice *open;
    size_t count, cap;
};
struct perfetto {
    const struct export *x;
    struct export_lines lines;     /* arrows by their source */
    struct export_lines by_target; /* its arrows alone */
    struct emit packet;
    uint64_t *processes;   /* their tracks; 0: not described yet */
    struct track *threads; /* of each; then of unknown ones */
    struct track *more;    /* what overlaps */
    size_t more_count, more_cap;
    uint64_t tracks; /* so far */
};

/* ---- packets ------------------------------------------------------------- */

static void begin(struct perfetto *p, uint32_t flags)
{
    emit_item(&p->packet, 1);
    emit_number(&p->packet, 10, "trusted_packet_sequence_id", SEQUENCE);
    emit_number(&p->packet, 13, "sequence_flags", flags);
}

static int end(struct perfetto *p)
{
    struct buf *out = &p->packet.out;
    emit_close(&p->packet);
    if (out->failed)
        return -ENOMEM;
    errno = 0;
    if (fwrite(buf_get(out), 1, out->len_bytes, p->x->out) < out->len_bytes)
        return errno ? -errno : -EIO;
    buf_reset(out);
    return 0;
}

static void put_name(struct perfetto *p, unsigned field, size_t iid,
                     const char *name)
{
    emit_item(&p->packet, field);
    emit_int64(&p->packet, 1, "iid", (int64_t)iid);
    emit_text(&p->packet, 2, "name", name);
    emit_close(&p->packet);
}

/* Names by their number, which begins with 1. */
static int put_names(struct perfetto *p)
{
    const struct query_detail *d = p->x->detail;
    begin(p, STATE_CLEARED | STATE_NEEDED);
    emit_open(&p->packet, 12, "interned_data");
    for (size_t i = 0; i < d->site_count; i++)
        put_name(p, 2, i + 1, d->sites[i].name ? d->sites[i].name : "?");
    for (size_t i = 0; i < sizeof annotations / sizeof *annotations; i++)
        put_name(p, 3, i + 1, annotations[i]);
    emit_close(&p->packet);
    return end(p);
}

static void put_clock(struct perfetto *p, uint32_t id)
{
    emit_item(&p->packet, 1);
    emit_number(&p->packet, 1, "clock_id", id);
    emit_int64(&p->packet, 2, "timestamp", p->x->start_ns);
    emit_close(&p->packet);
}

static int put_clocks(struct perfetto *p)
{
    begin(p, STATE_NEEDED);
    emit_int64(&p->packet, 8, "timestamp", p->x->start_ns);
    emit_open(&p->packet, 6, "clock_snapshot");
    put_clock(p, CLOCK_BOOTTIME_ID);
    put_clock(p, CLOCK_REALTIME_ID);
    emit_close(&p->packet);
    return end(p);
}

/* ---- tracks -------------------------------------------------------------- */

/* Another one in each file, so that two of them can be looked at as one. */
static uint64_t next_uuid(struct perfetto *p)
{
    uint64_t base;
    memcpy(&base, p->x->trace->id + 8, sizeof base);
    uint64_t uuid = lane_mix64(base + ++p->tracks);
    return uuid ? uuid : next_uuid(p);
}

static void begin_track(struct perfetto *p, uint64_t uuid, uint64_t parent)
{
    begin(p, STATE_NEEDED);
    emit_open(&p->packet, 60, "track_descriptor");
    emit_int64(&p->packet, 1, "uuid", (int64_t)uuid);
    if (parent)
        emit_int64(&p->packet, 5, "parent_uuid", (int64_t)parent);
}

static int end_track(struct perfetto *p)
{
    emit_close(&p->packet);
    return end(p);
}

static int describe_process(struct perfetto *p, const struct query_process *of,
                            uint64_t *uuid)
{
    uint64_t *at = &p->processes[of - p->x->detail->processes];
    if ((*uuid = *at))
        return 0;
    *uuid = *at = next_uuid(p);
    begin_track(p, *at, 0);
    emit_open(&p->packet, 3, "process");
    emit_int64(&p->packet, 1, "pid", of->pid);
    emit_text(&p->packet, 6, "process_name", of->label ? of->label : "?");
    emit_close(&p->packet);
    return end_track(p);
}

/* The track of what this thread did. */
static int describe_thread(struct perfetto *p, struct track *t,
                           const struct export_span *s)
{
    uint64_t process = 0;
    int err = s->process ? describe_process(p, s->process, &process) : 0;
    if (t->uuid || err)
        return err;
    t->uuid = next_uuid(p);
    begin_track(p, t->uuid, process);
    if (s->thread) {
        emit_open(&p->packet, 4, "thread");
        emit_int64(&p->packet, 1, "pid", s->pid);
        emit_int64(&p->packet, 2, "tid", s->tid);
        emit_text(&p->packet, 5, "thread_name", s->thread->name);
        emit_close(&p->packet);
    } else {
        emit_text(&p->packet, 2, "name", "thread unknown");
    }
    return end_track(p);
}

static int describe_more(struct perfetto *p, struct track *t)
{
    t->uuid = next_uuid(p);
    begin_track(p, t->uuid, p->threads[t->thread].uuid);
    emit_text(&p->packet, 2, "name", "overlapping");
    return end_track(p);
}

/* ---- slices -------------------------------------------------------------- */

static void begin_event(struct perfetto *p, int64_t unix_ns, uint64_t track,
                        uint32_t type)
{
    begin(p, STATE_NEEDED);
    emit_int64(&p->packet, 8, "timestamp", unix_ns);
    emit_open(&p->packet, 11, "track_event");
    emit_number(&p->packet, 9, "type", type);
    emit_int64(&p->packet, 11, "track_uuid", (int64_t)track);
}

static int end_event(struct perfetto *p)
{
    emit_close(&p->packet);
    return end(p);
}

static int put_end(struct perfetto *p, uint64_t track, int64_t unix_ns)
{
    begin_event(p, unix_ns, track, SLICE_END);
    return end_event(p);
}

static void open_annotation(struct perfetto *p, size_t name)
{
    emit_item(&p->packet, 4);
    emit_int64(&p->packet, 1, "name_iid", (int64_t)name + 1);
}

static void add_text(struct perfetto *p, size_t name, const char *text)
{
    if (!text)
        return;
    open_annotation(p, name);
    emit_text(&p->packet, 6, "string_value", text);
    emit_close(&p->packet);
}

static void add_id(struct perfetto *p, size_t name, uint64_t id)
{
    char hex[17];
    snprintf(hex, sizeof hex, "%016llx", (unsigned long long)id);
    add_text(p, name, id ? hex : NULL);
}

/* -1: not known */
static void add_count(struct perfetto *p, size_t name, int64_t n)
{
    if (n < 0)
        return;
    open_annotation(p, name);
    emit_int64(&p->packet, 4, "int_value", n);
    emit_close(&p->packet);
}

static void put_flows(struct perfetto *p, const struct export_span *s)
{
    size_t count;
    const struct export_arrow *a = export_arrows_from(&p->lines, s->id, &count);
    for (size_t i = 0; i < count && !s->is_process; i++)
        emit_fixed64(&p->packet, 47, "flow_ids",
                     lane_mix64(a[i].from ^ lane_mix64(a[i].to)));
    a = export_arrows_to(&p->by_target, s->id, &count);
    for (size_t i = 0; i < count; i++)
        if (a[i].is_begun)
            emit_fixed64(&p->packet, 48, "terminating_flow_ids",
                         lane_mix64(a[i].from ^ lane_mix64(a[i].to)));
}

static int put_begin(struct perfetto *p, uint64_t track,
                     const struct export_span *s)
{
    begin_event(p, s->start_unix_ns, track, SLICE_BEGIN);
    if (s->site)
        emit_int64(&p->packet, 10, "name_iid",
                   s->site - p->x->detail->sites + 1);
    else
        emit_text(&p->packet, 23, "name", s->name);
    add_id(p, 0, s->id);
    add_id(p, 1, s->parent_id);
    add_text(p, 2, s->status);
    add_text(p, 3, s->ended_by);
    add_count(p, 4, s->self_ns);
    add_count(p, 5, s->cpu_ns);
    add_count(p, 6, s->is_process ? s->process->loading_ns : -1);
    put_flows(p, s);
    return end_event(p);
}

static int64_t end_of(const struct export_span *s)
{
    return strcmp(s->status, "open") == 0 ? INT64_MAX : s->shown_end_ns;
}

/* What is over when this begins ends; not what it was called in. */
static int pass_time(struct perfetto *p, struct track *t,
                     const struct export_span *s)
{
    int err = 0;
    for (; t->count > 0 && !err; t->count--) {
        const struct slice *top = &t->open[t->count - 1];
        if (top->end_ns > s->start_unix_ns ||
            (top->end_ns == s->start_unix_ns && top->id == s->parent_id))
            break;
        err = put_end(p, t->uuid, top->end_ns);
    }
    return err;
}

/* Is there room in what is open on this track? */
static bool fits(const struct track *t, const struct export_span *s)
{
    return t->count == 0 || t->open[t->count - 1].end_ns >= end_of(s);
}

/* A track of what overlaps on a thread: on top of its parent, else a free one.
 */
static int choose_more(struct perfetto *p, size_t thread,
                       const struct export_span *s, struct track **out)
{
    struct track *idle = NULL, *above = NULL;
    for (size_t i = 0; i < p->more_count && !above; i++) {
        struct track *t = &p->more[i];
        int err = t->thread == thread ? pass_time(p, t, s) : 0;
        if (err)
            return err;
        if (t->thread != thread || !fits(t, s))
            continue;
        if (t->count == 0)
            idle = idle ? idle : t;
        else if (t->open[t->count - 1].id == s->parent_id)
            above = t;
    }
    *out = above ? above : idle;
    if (*out)
        return 0;
    if (!export_grow(&p->more, p->more_count, &p->more_cap, sizeof *p->more))
        return -ENOMEM;
    *out = &p->more[p->more_count++];
    **out = (struct track){.thread = thread};
    return describe_more(p, *out);
}

static int put_call(struct perfetto *p, const struct export_span *s,
                    uint64_t row)
{
    const struct query_detail *d = p->x->detail;
    size_t thread =
        s->thread ? (size_t)(s->thread - d->threads) : d->thread_count;
    struct track *t = &p->threads[thread];
    int err = describe_thread(p, t, s);
    if (!err && !row)
        err = pass_time(p, t, s);
    if (!err && (row || !fits(t, s)))
        err = choose_more(p, thread, s, &t);
    if (!err && !export_grow(&t->open, t->count, &t->cap, sizeof *t->open))
        err = -ENOMEM;
    if (!err)
        t->open[t->count++] = (struct slice){s->id, end_of(s)};
    return err ? err : put_begin(p, t->uuid, s);
}

/* The slice of a process is alone on its track. */
static int put_process(struct perfetto *p, const struct export_span *s)
{
    uint64_t uuid;
    int err = describe_process(p, s->process, &uuid);
    if (!err)
        err = put_begin(p, uuid, s);
    int64_t end_ns = end_of(s);
    return err || end_ns == INT64_MAX ? err : put_end(p, uuid, end_ns);
}

static int put_span(void *context, const struct export_span *s)
{
    struct perfetto *p = context;
    uint64_t row;
    int err = export_lines_place(&p->lines, s, &row);
    if (err)
        return err;
    return s->is_process ? put_process(p, s) : put_call(p, s, row);
}

/* What is open on a track when all have begun. */
static int put_rest(struct perfetto *p, struct track *t)
{
    int err = 0;
    for (; t->count > 0 && !err; t->count--) {
        int64_t end_ns = t->open[t->count - 1].end_ns;
        if (end_ns != INT64_MAX)
            err = put_end(p, t->uuid, end_ns);
    }
    return err;
}

/* ---- all ----------------------------------------------------------------- */

static int mark_source(void *context, const struct export_span *s)
{
    struct perfetto *p = context;
    size_t count;
    struct export_arrow *a = export_arrows_from(&p->lines, s->id, &count);
    for (size_t i = 0; i < count && !s->is_process; i++)
        a[i].is_begun = true;
    return 0;
}

static int find_arrows(struct perfetto *p)
{
    int err = export_lines_find(&p->lines, p->x);
    size_t count = p->lines.arrow_count;
    if (err || count == 0)
        return err;
    err = export_each(p->x, mark_source, p);
    p->by_target.arrow = reallocarray(NULL, count, sizeof *p->lines.arrow);
    if (!p->by_target.arrow)
        return -ENOMEM;
    memcpy(p->by_target.arrow, p->lines.arrow, count * sizeof *p->lines.arrow);
    p->by_target.arrow_count = count;
    export_arrows_by_target(&p->by_target);
    return err;
}

static int put_all(struct perfetto *p)
{
    size_t threads = p->x->detail->thread_count;
    int err = find_arrows(p);
    err = err ? err : put_names(p);
    err = err ? err : put_clocks(p);
    err = err ? err : export_each(p->x, put_span, p);
    for (size_t i = 0; i <= threads && !err; i++)
        err = put_rest(p, &p->threads[i]);
    for (size_t i = 0; i < p->more_count && !err; i++)
        err = put_rest(p, &p->more[i]);
    return err;
}

int export_perfetto(const struct export *x)
{
    const struct query_detail *d = x->detail;
    struct perfetto p = {
        .x = x,
        .processes = calloc(d->process_count + 1, sizeof *p.processes),
        .threads = calloc(d->thread_count + 1, sizeof *p.threads)};
    emit_begin(&p.packet, EMIT_PROTOBUF, MOST_BYTES);
    int err = p.processes && p.threads ? put_all(&p) : -ENOMEM;
    for (size_t i = 0; p.threads && i <= d->thread_count; i++)
        free(p.threads[i].open);
    for (size_t i = 0; i < p.more_count; i++)
        free(p.more[i].open);
    free(p.processes);
    free(p.threads);
    free(p.more);
    free(p.by_target.arrow);
    export_lines_free(&p.lines);
    emit_free(&p.packet);
    return err;
}
