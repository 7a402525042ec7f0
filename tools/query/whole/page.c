/* SPDX-License-Identifier: Apache-2.0 */
/* Questions of the page; see page.h. */
#include "tools/query/whole/page.h"
#include "lane/format/ids.h"
#include "query_sql.h"
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>

/* What is left of a step that gave no row, or of an `each` that stopped. */
static int end(sqlite3_stmt *stmt, int step, int stopped)
{
    query_finish(stmt);
    return stopped ? stopped : step < 0 ? step : 0;
}

static int bars_by_start(struct query_db *db, int64_t trace,
                         int (*each)(void *context, const struct query_span *s),
                         void *context)
{
    sqlite3_stmt *stmt = query_prepare(db, query_sql_page_bars);
    if (!stmt)
        return -EIO;
    query_bind_int(stmt, ":trace", trace);
    int step, stopped = 0;
    while (!stopped && (step = query_step(db, stmt)) > 0) {
        struct query_span bar = {.session = query_int(stmt, 0, 0),
                                 .ref = query_int(stmt, 1, 0),
                                 .parent_ref = query_int(stmt, 2, 0),
                                 .site = query_int(stmt, 3, 0),
                                 .process_idx = query_int(stmt, 4, -1),
                                 .generation = query_int(stmt, 5, 0),
                                 .start_unix_ns = query_int(stmt, 6, 0),
                                 .duration_ns = query_int(stmt, 7, -1),
                                 .status = query_text(stmt, 8),
                                 .links = query_text(stmt, 9)};
        stopped = each(context, &bar);
    }
    return end(stmt, step, stopped);
}

int query_bars(struct query_db *db, int64_t trace, bool by_start,
               int (*each)(void *context, const struct query_span *s),
               void *context)
{
    bool is_read = false;
    int err = by_start ? 0
                       : query_scan_own(db, trace, query_sql_page_bar_scan,
                                        &is_read, each, context);
    return err || is_read ? err : bars_by_start(db, trace, each, context);
}

static struct query_span read_span(sqlite3_stmt *stmt)
{
    return (struct query_span){.start_unix_ns = query_int(stmt, 0, 0),
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
                               .status = query_text(stmt, 11),
                               .ended_by = query_text(stmt, 12),
                               .error = query_text(stmt, 13),
                               .orphan = query_text(stmt, 14),
                               .links = query_text(stmt, 15),
                               .input = query_text(stmt, 16),
                               .output = query_text(stmt, 17),
                               .attributes = query_text(stmt, 18),
                               .capture = query_text(stmt, 19)};
}

int query_one_span(struct query_db *db, int64_t trace, int64_t session,
                   int64_t ref,
                   int (*each)(void *context, const struct query_span *s),
                   void *context)
{
    sqlite3_stmt *stmt = query_prepare(db, query_sql_page_span);
    if (!stmt)
        return -EIO;
    query_bind_int(stmt, ":trace", trace);
    query_bind_int(stmt, ":session", session);
    query_bind_int(stmt, ":ref", ref);
    int step = query_step(db, stmt), stopped = 0;
    if (step > 0) {
        struct query_span span = read_span(stmt);
        stopped = each(context, &span);
    }
    return end(stmt, step, stopped);
}

int query_find(struct query_db *db, int64_t trace, const char *text,
               int64_t limit,
               int (*each)(void *context, int64_t session, int64_t ref),
               void *context)
{
    sqlite3_stmt *stmt = query_prepare(db, query_sql_page_find);
    if (!stmt)
        return -EIO;
    query_bind_int(stmt, ":trace", trace);
    query_bind_text(stmt, ":text", text);
    query_bind_int(stmt, ":limit", limit);
    int step, stopped = 0;
    while (!stopped && (step = query_step(db, stmt)) > 0)
        stopped = each(context, query_int(stmt, 0, 0), query_int(stmt, 1, 0));
    return end(stmt, step, stopped);
}

static void hex_of(sqlite3_stmt *stmt, int column, char hex[33])
{
    const uint8_t *id = sqlite3_column_blob(stmt, column);
    hex[0] = 0;
    if (id && sqlite3_column_bytes(stmt, column) == 16)
        for (int i = 0; i < 16; i++)
            snprintf(hex + 2 * i, 3, "%02x", id[i]);
}

int query_open_calls(struct query_db *db, int64_t limit,
                     int (*each)(void *context,
                                 const struct query_open_call *call),
                     void *context)
{
    sqlite3_stmt *stmt = query_prepare(db, query_sql_page_open);
    if (!stmt)
        return -EIO;
    query_bind_int(stmt, ":limit", limit);
    int step, stopped = 0;
    while (!stopped && (step = query_step(db, stmt)) > 0) {
        struct query_open_call call = {
            .trace_name = query_text(stmt, 1),
            .span_id = lane_span_id(query_blob64(stmt, 2),
                                    (uint64_t)query_int(stmt, 3, 0)),
            .name = query_text(stmt, 4),
            .start_unix_ns = query_int(stmt, 5, 0),
            .pid = query_int(stmt, 6, -1),
            .process = query_text(stmt, 7),
            .tid = query_int(stmt, 8, -1),
            .thread = query_text(stmt, 9),
            .input = query_text(stmt, 10),
            .overdue_ns = query_int(stmt, 11, -1),
            .overdue_at_unix_ns = query_int(stmt, 12, -1),
            .is_innermost = query_int(stmt, 13, 0) != 0};
        hex_of(stmt, 0, call.trace);
        stopped = each(context, &call);
    }
    return end(stmt, step, stopped);
}

int query_handler_totals(struct query_db *db, int64_t since_unix_ns,
                         int64_t until_unix_ns, const char *program,
                         int (*each)(void *context,
                                     const struct query_total *t),
                         void *context)
{
    sqlite3_stmt *stmt = query_prepare(db, query_sql_page_handlers);
    if (!stmt)
        return -EIO;
    query_bind_int(stmt, ":since", since_unix_ns);
    query_bind_int(stmt, ":until", until_unix_ns);
    query_bind_text(stmt, ":program", program);
    int step, stopped = 0;
    while (!stopped && (step = query_step(db, stmt)) > 0) {
        struct query_total total = {.start_unix_ns = query_int(stmt, 0, 0),
                                    .name = query_text(stmt, 1),
                                    .calls = query_int(stmt, 2, 0),
                                    .errors = query_int(stmt, 3, 0),
                                    .total_ns = query_int(stmt, 4, 0),
                                    .self_ns = query_int(stmt, 5, 0),
                                    .max_ns = query_int(stmt, 6, 0),
                                    .histogram = query_text(stmt, 7)};
        stopped = each(context, &total);
    }
    return end(stmt, step, stopped);
}
