/* SPDX-License-Identifier: Apache-2.0 */
/* See live.h. */
#include "tools/query/whole/live.h"
#include "query_sql.h"
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static void read_call(struct sqlite3_stmt *s, struct query_live_call *c)
{
    const uint8_t *id = sqlite3_column_blob(s, 0);
    for (int i = 0; i < 16 && sqlite3_column_bytes(s, 0) == 16; i++)
        snprintf(c->trace + 2 * i, 3, "%02x", id[i]);
    c->session = query_int(s, 1, 0);
    c->ref = query_int(s, 2, 0);
    c->name = query_text_copy(s, 3);
    c->program = query_text_copy(s, 4);
    c->pid = query_int(s, 5, -1);
    c->tid = query_int(s, 6, -1);
    c->thread = query_text_copy(s, 7);
    c->start_unix_ns = query_int(s, 8, 0);
    c->overdue_ns = query_int(s, 9, -1);
    c->is_overdue = query_int(s, 10, 0) != 0;
    c->is_innermost = query_int(s, 11, 0) != 0;
    c->caller = query_text_copy(s, 12);
}

static void read_handler(struct sqlite3_stmt *s, struct query_live_handler *h)
{
    h->name = query_text_copy(s, 0);
    h->calls = query_int(s, 1, 0);
    h->errors = query_int(s, 2, 0);
    h->self_ns = query_int(s, 3, 0);
    h->max_ns = query_int(s, 4, 0);
    h->since_unix_ns = query_int(s, 5, 0);
}

/* Rows of a statement into `l`; at most `limit`, for which there is room. */
static int load(struct query_db *db, const char *sql, int64_t limit,
                struct query_live *l, bool is_calls)
{
    struct sqlite3_stmt *s = query_prepare(db, sql);
    int step;
    if (!s)
        return -EIO;
    query_bind_int(s, ":limit", limit);
    while ((step = query_step(db, s)) > 0) {
        if (is_calls)
            read_call(s, &l->call[l->call_count++]);
        else
            read_handler(s, &l->handler[l->handler_count++]);
    }
    query_finish(s);
    return step;
}

static int load_totals(struct query_db *db, struct query_live *l)
{
    struct sqlite3_stmt *s = query_prepare(db, query_sql_live_totals);
    if (!s)
        return -EIO;
    int step = query_step(db, s);
    if (step > 0) {
        l->processes = query_int(s, 0, 0);
        l->open = query_int(s, 1, 0);
        l->overdue = query_int(s, 2, 0);
    }
    query_finish(s);
    return step < 0 ? step : 0;
}

int query_live_load(struct query_db *db, int64_t limit, struct query_live *out)
{
    size_t most = (size_t)limit;
    *out =
        (struct query_live){.call = calloc(most + 1, sizeof *out->call),
                            .handler = calloc(most + 1, sizeof *out->handler)};
    int err = out->call && out->handler ? 0 : -ENOMEM;
    if (!err)
        err = load(db, query_sql_live_open, limit, out, true);
    if (!err)
        err = load(db, query_sql_live_handlers, limit, out, false);
    if (!err)
        err = load_totals(db, out);
    if (err)
        query_live_free(out);
    return err;
}

void query_live_free(struct query_live *l)
{
    for (size_t i = 0; i < l->call_count; i++) {
        free(l->call[i].name);
        free(l->call[i].program);
        free(l->call[i].thread);
        free(l->call[i].caller);
    }
    for (size_t i = 0; i < l->handler_count; i++)
        free(l->handler[i].name);
    free(l->call);
    free(l->handler);
    *l = (struct query_live){0};
}
