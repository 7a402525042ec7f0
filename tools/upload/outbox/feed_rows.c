/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From columns of the store to rows of a sink: ids are derived, paths cut to
 * their base names, texts copied. The order of columns is that of upload.sql.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lane/format/ids.h"
#include "tools/upload/outbox/feed_internal.h"

enum {
    CHUNK_BYTES = 65536
};
struct feed_chunk {
    struct feed_chunk *next;
    size_t used, cap;
    char bytes[];
};

/* Reading a row: columns from left to right. */
struct reader {
    sqlite3_stmt *s;
    struct feed_batch *batch;
    int column;
    bool failed;
};

static char *text_room(struct feed_batch *b, size_t bytes)
{
    struct feed_chunk *c = b->chunks;
    if (!c || c->cap - c->used < bytes) {
        size_t cap = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        c = malloc(sizeof *c + cap);
        if (!c)
            return NULL;
        *c = (struct feed_chunk){b->chunks, 0, cap};
        b->chunks = c;
    }
    char *room = c->bytes + c->used;
    c->used += bytes;
    b->text_bytes += bytes;
    return room;
}

void feed_batch_clear(struct feed_batch *b)
{
    while (b->chunks) {
        struct feed_chunk *c = b->chunks;
        b->chunks = c->next;
        free(c);
    }
    b->count = b->refused_rows = b->refused_spans = 0;
    b->text_bytes = 0;
}

void feed_batch_free(struct feed_batch *b)
{
    feed_batch_clear(b);
    free(b->rows);
    *b = (struct feed_batch){0};
}

static int64_t number(struct reader *r)
{
    int column = r->column++;
    return sqlite3_column_type(r->s, column) == SQLITE_NULL
               ? UPLOAD_NULL
               : sqlite3_column_int64(r->s, column);
}

static const char *text(struct reader *r)
{
    int column = r->column++;
    const void *bytes = sqlite3_column_text(r->s, column);
    if (!bytes)
        return NULL;
    size_t len = (size_t)sqlite3_column_bytes(r->s, column);
    char *copy = text_room(r->batch, len + 1);
    if (!copy) {
        r->failed = true;
        return NULL;
    }
    memcpy(copy, bytes, len);
    copy[len] = 0;
    return copy;
}

static const char *base_name(struct reader *r)
{
    const char *path = text(r);
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path;
}

static void bytes16(struct reader *r, uint8_t out[16])
{
    int column = r->column++;
    const void *bytes = sqlite3_column_blob(r->s, column);
    memset(out, 0, 16);
    if (bytes && sqlite3_column_bytes(r->s, column) == 16)
        memcpy(out, bytes, 16);
}

static uint64_t bytes8(struct reader *r)
{
    int column = r->column++;
    const uint8_t *bytes = sqlite3_column_blob(r->s, column);
    uint64_t n = 0;
    if (bytes && sqlite3_column_bytes(r->s, column) == 8)
        for (int i = 0; i < 8; i++)
            n = n << 8 | bytes[i];
    return n;
}

static uint64_t process_ref(int64_t idx)
{
    return 0xffffULL << 48 | (uint64_t)(idx + 1);
}

static void read_span(struct reader *r, struct upload_span *s)
{
    s->ref = number(r);
    int64_t parent = number(r), process = number(r);
    bytes16(r, s->trace_id);
    s->session = bytes8(r);
    s->span_id = lane_span_id(s->session, (uint64_t)s->ref);
    s->parent_span_id = lane_span_id(s->session, (uint64_t)parent);
    s->process_span_id = lane_span_id(s->session, process_ref(process));
    s->site = number(r), s->pid = number(r), s->tid = number(r);
    s->depth = number(r), s->start_unix_ns = number(r);
    s->duration_ns = number(r), s->self_ns = number(r), s->cpu_ns = number(r);
    s->queue_ns = number(r);
    s->name = text(r), s->symbol = text(r), s->object = base_name(r);
    s->service = text(r), s->host = text(r), s->program = text(r);
    s->thread_name = text(r), s->status = text(r), s->ended_by = text(r);
    s->links = text(r);
    s->error_kind = text(r), s->error_type = text(r);
    s->error_fingerprint = text(r), s->error_errno = number(r);
    s->input = text(r), s->output = text(r), s->attributes = text(r);
    s->capture = text(r), s->error = text(r);
    uint64_t remote = bytes8(r);
    if (!s->parent_span_id)
        s->parent_span_id = remote;
    s->resource = text(r), s->orphan = text(r);
    s->error_rule = text(r), s->error_cause = text(r);
    s->error_cause_errno = number(r);
    s->error_stack_ended = text(r), s->error_frames = text(r);
    s->file = text(r), s->line = number(r), s->is_root = number(r);
    s->overdue_unix_ns = number(r), s->overdue_limit_ns = number(r);
    s->overdue_frames = text(r);
}

static void read_trace(struct reader *r, struct upload_trace *t)
{
    bytes16(r, t->trace_id);
    t->session = bytes8(r);
    int64_t root = number(r);
    t->root_span_id =
        root == UPLOAD_NULL ? 0 : lane_span_id(t->session, (uint64_t)root);
    t->remote_parent_span_id = bytes8(r);
    t->version = number(r), t->start_unix_ns = number(r);
    t->duration_ns = number(r), t->pid = number(r), t->name = text(r);
    t->service = text(r), t->host = text(r), t->status = text(r);
}

static void read_process(struct reader *r, struct upload_process *p,
                         struct feed_position *at)
{
    at->after = number(r);
    int64_t parent = number(r), parent_ref = number(r);
    bytes16(r, p->trace_id);
    p->session = bytes8(r);
    p->span_id = lane_span_id(p->session, process_ref(at->after));
    if (parent_ref != UPLOAD_NULL && parent_ref != 0)
        p->parent_span_id = lane_span_id(p->session, (uint64_t)parent_ref);
    else if (parent != UPLOAD_NULL)
        p->parent_span_id = lane_span_id(p->session, process_ref(parent));
    p->version = number(r), p->pid = number(r), p->start_unix_ns = number(r);
    p->duration_ns = number(r), p->cpu_ns = number(r);
    p->peak_bytes = number(r), p->peak_is_lower_bound = number(r);
    p->exit_code = number(r), p->signal = number(r), p->name = text(r);
    p->service = text(r), p->host = text(r), p->status = text(r);
    p->ended_by = text(r), p->end_source = text(r);
    p->program = text(r), p->command = text(r);
    uint64_t remote = bytes8(r);
    if (!p->parent_span_id)
        p->parent_span_id = remote;
    p->resource = text(r), p->lost = text(r), p->target = text(r);
    p->is_root = number(r), p->loading_ns = number(r);
}

static void read_site(struct reader *r, struct upload_site *s)
{
    s->site = number(r), s->session = bytes8(r), s->version = number(r);
    s->declaration = number(r), s->is_root = number(r);
    s->name = text(r), s->symbol = text(r), s->binding = text(r);
    s->shim = text(r), s->build_id = text(r);
    s->service = text(r), s->host = text(r), s->object = base_name(r);
    s->reason = text(r);
    if (s->reason && strchr(s->reason, '/'))
        s->reason = NULL;
    s->declared = text(r), s->manifest = base_name(r);
    s->unseen = text(r), s->slow_ns = number(r);
    if (s->unseen && strchr(s->unseen, '/'))
        s->unseen = NULL;
}

static void read_loss(struct reader *r, struct upload_loss *l)
{
    l->site = number(r), l->loss = text(r), l->session = bytes8(r);
    l->version = l->count = number(r), l->name = text(r);
}

static void read_rollup(struct reader *r, struct upload_rollup *u)
{
    u->site = number(r);
    bytes16(r, u->trace_id);
    u->session = bytes8(r), u->version = u->calls = number(r);
    u->errors = number(r), u->total_ns = number(r), u->self_ns = number(r);
    u->max_ns = number(r), u->cpu_ns = number(r);
    u->dropped_calls = number(r), u->name = text(r), u->histogram = text(r);
    u->slow_calls = number(r);
}

static void read_error(struct reader *r, struct upload_error *e)
{
    e->fingerprint = text(r), e->session = bytes8(r);
    e->version = e->count = number(r), e->name = text(r), e->kind = text(r);
    e->type = text(r), e->rule = text(r), e->first_unix_ns = number(r);
    e->last_unix_ns = number(r);
    bytes16(r, e->trace_id);
    e->last_span_id = lane_span_id(e->session, (uint64_t)number(r));
}

static void read_throw(struct reader *r, struct upload_thrown *t)
{
    t->site = number(r), t->type = text(r), t->session = bytes8(r);
    t->version = t->count = number(r), t->name = text(r);
}

static void after_text(struct feed_position *at, const char *text)
{
    snprintf(at->after_text, sizeof at->after_text, "%s", text ? text : "");
}

static struct upload_row *row_add(struct feed_batch *b, enum upload_kind kind)
{
    if (b->count == b->cap) {
        uint32_t cap = b->cap ? b->cap * 2 : 256;
        void *grown = realloc(b->rows, cap * sizeof *b->rows);
        if (!grown)
            return NULL;
        b->rows = grown;
        b->cap = cap;
    }
    struct upload_row *row = &b->rows[b->count];
    memset(row, 0, sizeof *row);
    row->kind = kind;
    return row;
}

int feed_row(struct feed_batch *batch, enum upload_kind kind,
             sqlite3_stmt *statement, struct feed_position *at)
{
    struct reader r = {.s = statement, .batch = batch};
    struct upload_row *row = row_add(batch, kind);
    if (!row)
        return -ENOMEM;
    switch (kind) {
    case UPLOAD_SPANS:
        read_span(&r, &row->span);
        at->ref = row->span.ref;
        break;
    case UPLOAD_TRACES:
        read_trace(&r, &row->trace);
        break;
    case UPLOAD_PROCESSES:
        read_process(&r, &row->process, at);
        break;
    case UPLOAD_SITES:
        read_site(&r, &row->site);
        at->after = row->site.site;
        break;
    case UPLOAD_LOSSES:
        read_loss(&r, &row->loss);
        at->after = row->loss.site;
        after_text(at, row->loss.loss);
        break;
    case UPLOAD_ERRORS:
        read_error(&r, &row->error);
        after_text(at, row->error.fingerprint);
        break;
    case UPLOAD_THROWS:
        read_throw(&r, &row->thrown);
        at->after = row->thrown.site;
        after_text(at, row->thrown.type);
        break;
    case UPLOAD_ROLLUPS:
        read_rollup(&r, &row->rollup);
        at->after = row->rollup.site;
        break;
    default:
        return -EINVAL;
    }
    if (r.failed)
        return -ENOMEM;
    batch->count++;
    return 0;
}
