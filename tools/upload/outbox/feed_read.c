/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page of the outbox: entry after entry from the sink's position on, each the
 * kinds of rows that it stands for, until the page is full. What an entry did
 * not get into one page goes on in the next.
 */
#include <string.h>
#include "tools/upload/outbox/feed_internal.h"

struct entry {
    int64_t seq, session, trace, lo, hi;
};

struct page {
    uint32_t most, kinds;
    size_t most_bytes;
    struct feed_batch *batch;
};

static bool is_full(const struct page *p)
{
    return p->batch->count >= p->most || p->batch->text_bytes >= p->most_bytes;
}

/* Rows of one statement: 1 there may be more, 0 that was all, -errno. */
static int rows_read(struct feed *feed, struct page *p, enum upload_kind kind,
                     sqlite3_stmt *s, struct feed_position *at)
{
    int rc = 0;
    bool full = false;
    while (!full && (rc = feed_next(feed, s)) > 0) {
        rc = feed_row(p->batch, kind, s, at);
        if (rc < 0)
            break;
        full = is_full(p);
    }
    sqlite3_reset(s);
    return rc < 0 ? rc : full;
}

static sqlite3_stmt *statement_of(struct feed *feed, const struct entry *e,
                                  const struct feed_position *at,
                                  enum upload_kind kind, int64_t most)
{
    switch (kind) {
    case UPLOAD_SPANS: {
        int64_t after = e->lo - 1;
        if (at->ref != UPLOAD_NULL && at->ref > after)
            after = at->ref;
        return feed_start(feed, FEED_SPANS, "iiii", e->session, after, e->hi,
                          most);
    }
    case UPLOAD_TRACES:
        return feed_start(feed, FEED_TRACE, "ii", e->trace, e->seq);
    case UPLOAD_PROCESSES:
        return feed_start(feed, FEED_PROCESSES, "iii", e->session, at->after,
                          most);
    case UPLOAD_SITES:
        return feed_start(feed, FEED_SITES, "iii", e->session, at->after, most);
    case UPLOAD_LOSSES:
    case UPLOAD_THROWS:
        return feed_start(feed,
                          kind == UPLOAD_LOSSES ? FEED_LOSSES : FEED_THROWS,
                          "iiti", e->session, at->after, at->after_text, most);
    case UPLOAD_ERRORS:
        return feed_start(feed, FEED_ERRORS, "iti", e->session, at->after_text,
                          most);
    default:
        return feed_start(feed, FEED_ROLLUPS, "iiii", e->trace, e->session,
                          at->after, most);
    }
}

/* What an entry stands for, in order. */
static const enum upload_kind *parts_of(const struct entry *e)
{
    static const enum upload_kind spans[] = {UPLOAD_SPANS, UPLOAD_KINDS},
                                  trace[] = {UPLOAD_TRACES, UPLOAD_KINDS},
                                  rollups[] = {UPLOAD_ROLLUPS, UPLOAD_KINDS},
                                  session[] = {UPLOAD_PROCESSES, UPLOAD_SITES,
                                               UPLOAD_LOSSES,    UPLOAD_ERRORS,
                                               UPLOAD_THROWS,    UPLOAD_KINDS};
    if (e->lo != UPLOAD_NULL)
        return spans;
    if (e->trace == UPLOAD_NULL)
        return session;
    return e->session == UPLOAD_NULL ? trace : rollups;
}

static void part_begin(struct feed_position *at, int part)
{
    at->part = part;
    at->ref = UPLOAD_NULL;
    at->after = -1;
    memset(at->after_text, 0, sizeof at->after_text);
}

/* 1 there may be more of it, 0 it is done, -errno. */
static int entry_read(struct feed *feed, struct page *p, const struct entry *e,
                      struct feed_position *at)
{
    const enum upload_kind *parts = parts_of(e);
    while (parts[at->part] != UPLOAD_KINDS) {
        enum upload_kind kind = parts[at->part];
        if (is_full(p))
            return 1;
        int64_t most = (int64_t)(p->most - p->batch->count);
        if (p->kinds >> kind & 1) {
            int rc = rows_read(feed, p, kind,
                               statement_of(feed, e, at, kind, most), at);
            if (rc != 0 && kind != UPLOAD_TRACES)
                return rc;
            if (rc < 0)
                return rc;
        }
        int part = at->part + 1;
        part_begin(at, part);
    }
    at->seq = e->seq;
    part_begin(at, 0);
    return 0;
}

int feed_read(struct feed *feed, uint32_t most, size_t most_bytes,
              uint32_t kinds, struct feed_batch *batch, bool *is_more)
{
    struct page page = {most, kinds, most_bytes, batch};
    struct feed_position at = feed->at;
    int rc = 1;
    while (rc >= 0 && !is_full(&page)) {
        sqlite3_stmt *s = feed_start(feed, FEED_ENTRY, "i", at.seq);
        rc = feed_next(feed, s);
        if (rc <= 0)
            break;
        struct entry e = {feed_column(s, 0), feed_column(s, 1),
                          feed_column(s, 2), feed_column(s, 3),
                          feed_column(s, 4)};
        sqlite3_reset(s);
        uint32_t before = batch->count;
        rc = entry_read(feed, &page, &e, &at);
        for (uint32_t i = before; i < batch->count; i++)
            if (batch->rows[i].kind == UPLOAD_SPANS)
                batch->rows[i].span.session_row = e.session;
    }
    batch->end = at;
    *is_more = rc > 0 || is_full(&page);
    return rc < 0 ? rc : 0;
}
