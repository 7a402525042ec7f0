/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spans of a trace in pages; declared in detail.h. A page is copied out
 * of SQLite before anybody looks at it, so that a slow terminal never holds a
 * read transaction open.
 */
#include "tools/common/text/buf.h"
#include "tools/query/detail.h"
#include "query_sql.h"
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGE_LIGHT = 20000,
    PAGE_VALUES = 500, /* each can hold two times 50 KB and more */
    TEXTS = 9,
    TEXTS_LIGHT = 5,
};

struct page {
    struct query_span *spans;
    size_t (*texts)[TEXTS]; /* offset + 1 into `bytes`, 0: NULL */
    size_t count, cap;
    struct buf bytes;
};

static void read_span(sqlite3_stmt *stmt, bool with_values, struct page *page)
{
    struct query_span *s = &page->spans[page->count];
    *s = (struct query_span){
        .start_unix_ns = query_int(stmt, 0, 0),
        .session = query_int(stmt, 1, 0),
        .ref = query_int(stmt, 2, 0),
        .parent_ref = query_int(stmt, 3, 0),
        .site = query_int(stmt, 4, 0),
        .process_idx = query_int(stmt, 5, -1),
        .generation = query_int(stmt, 6, 0),
        .duration_ns = query_int(stmt, 7, -1),
        .self_ns = query_int(stmt, 8, -1),
        .cpu_ns = query_int(stmt, 9, -1),
        .queue_ns = query_int(stmt, 10, -1),
        .depth = with_values ? query_int(stmt, 11 + TEXTS, 0) : 0,
    };
    size_t *texts = page->texts[page->count];
    for (int i = 0; i < TEXTS; i++) {
        const char *text =
            with_values || i < TEXTS_LIGHT ? query_text(stmt, 11 + i) : NULL;
        texts[i] = text ? page->bytes.len_bytes + 1 : 0;
        if (text)
            buf_add(&page->bytes, text, strlen(text) + 1);
    }
    page->count++;
}

/* Offsets become pointers once the page no longer grows. */
static void set_texts(struct page *page)
{
    const char *base = buf_get(&page->bytes);
    for (size_t i = 0; i < page->count; i++) {
        struct query_span *s = &page->spans[i];
        const char **texts[TEXTS] = {&s->status, &s->ended_by,   &s->error,
                                     &s->orphan, &s->links,      &s->input,
                                     &s->output, &s->attributes, &s->capture};
        for (int j = 0; j < TEXTS; j++)
            if (page->texts[i][j])
                *texts[j] = base + page->texts[i][j] - 1;
    }
}

static int load_page(struct query_db *db, sqlite3_stmt *stmt, bool with_values,
                     const struct query_span *after, struct page *page)
{
    query_bind_int(stmt, ":after_start", after->start_unix_ns);
    query_bind_int(stmt, ":after_session", after->session);
    query_bind_int(stmt, ":after_ref", after->ref);
    page->count = 0;
    buf_reset(&page->bytes);
    int step;
    while ((step = query_step(db, stmt)) > 0 && page->count < page->cap)
        read_span(stmt, with_values, page);
    sqlite3_reset(stmt); /* ends its transaction */
    if (page->bytes.failed)
        return -ENOMEM;
    set_texts(page);
    return step < 0 ? step : 0;
}

static int walk(struct query_db *db, sqlite3_stmt *stmt, bool with_values,
                struct page *page,
                int (*each)(void *context, const struct query_span *s),
                void *context)
{
    struct query_span after = {.start_unix_ns = INT64_MIN};
    int err;
    do {
        err = load_page(db, stmt, with_values, &after, page);
        for (size_t i = 0; !err && i < page->count; i++)
            err = each(context, &page->spans[i]);
        if (!err && page->count)
            after = page->spans[page->count - 1];
    } while (!err && page->count == page->cap);
    return err;
}

int query_spans(struct query_db *db, int64_t trace, bool with_values,
                int (*each)(void *context, const struct query_span *s),
                void *context)
{
    struct page page = {.cap = with_values ? PAGE_VALUES : PAGE_LIGHT};
    sqlite3_stmt *stmt = query_prepare(
        db, with_values ? query_sql_trace_spans : query_sql_trace_spans_light);
    int err = stmt ? 0 : -EIO;
    buf_init(&page.bytes, (size_t)1 << 30);
    page.spans = calloc(page.cap, sizeof *page.spans);
    page.texts = calloc(page.cap, sizeof *page.texts);
    if (!page.spans || !page.texts)
        err = -ENOMEM;
    if (!err) {
        query_bind_int(stmt, ":trace", trace);
        query_bind_int(stmt, ":limit", (int64_t)page.cap);
        err = walk(db, stmt, with_values, &page, each, context);
    }
    query_finish(stmt);
    free(page.spans);
    free(page.texts);
    buf_free(&page.bytes);
    return err;
}
