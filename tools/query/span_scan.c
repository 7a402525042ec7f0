/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spans of a trace as they lie in the store; declared in detail.h. Of what
 * a row costs a view most is SQLite's way to it and from it: through the index
 * by start it is looked up once for each span, and each column that is asked
 * for is a call. So where a session is of one trace its rows are read as they
 * stand, and handed over by an aggregate function, which gets all columns of a
 * row at once.
 */
#include "tools/query/detail.h"
#include "query_sql.h"
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum {
    STRIDE = 1 << 16, /* references of a transaction */
    LIGHT = 11,       /* columns of trace_span_scan.sql */
};

struct scan {
    struct query_span span; /* what does not change from row to row */
    int (*each)(void *context, const struct query_span *s);
    void *context;
    struct query_db *db;
    int stopped; /* what `each` returned */
};

static const char *status_of(sqlite3_value *value)
{
    static const char *const all[] = {"ok", "error", "unfinished", "open"};
    const void *text = sqlite3_value_blob(value); /* no copy to end it by 0 */
    size_t len = (size_t)sqlite3_value_bytes(value);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (len == strlen(all[i]) && memcmp(text, all[i], len) == 0)
            return all[i];
    return "";
}

static int64_t number(sqlite3_value *value, int64_t otherwise)
{
    return sqlite3_value_type(value) == SQLITE_NULL
               ? otherwise
               : sqlite3_value_int64(value);
}

/* An error as it stands in the row: its text, or the number of it. */
static void set_error(struct query_span *s, sqlite3_value *value)
{
    int type = sqlite3_value_type(value);
    s->error =
        type == SQLITE_TEXT ? (const char *)sqlite3_value_text(value) : NULL;
    s->error_text = 0;
    if (type == SQLITE_BLOB) {
        char digits[24] = "";
        size_t len = (size_t)sqlite3_value_bytes(value);
        memcpy(digits, sqlite3_value_blob(value),
               len < sizeof digits ? len : sizeof digits - 1);
        s->error_text = strtoll(digits, NULL, 10);
    }
}

static void take_row(sqlite3_context *sql, int count, sqlite3_value **column)
{
    struct scan *scan = sqlite3_user_data(sql);
    struct query_span *s = &scan->span;
    if (scan->stopped)
        return;
    s->ref = sqlite3_value_int64(column[0]);
    s->parent_ref = sqlite3_value_int64(column[1]);
    s->site = sqlite3_value_int64(column[2]);
    s->start_unix_ns = sqlite3_value_int64(column[3]);
    s->duration_ns = number(column[4], -1);
    s->cpu_ns = number(column[5], -1);
    s->queue_ns = number(column[6], -1);
    s->status = status_of(column[7]);
    set_error(s, column[8]);
    s->orphan = (const char *)sqlite3_value_text(column[9]);
    s->ended_by = (const char *)sqlite3_value_text(column[10]);
    if (count > LIGHT) {
        s->process_idx = sqlite3_value_int64(column[LIGHT]);
        s->generation = sqlite3_value_int64(column[LIGHT + 1]);
        s->links = (const char *)sqlite3_value_text(column[LIGHT + 2]);
    }
    scan->stopped = scan->each(scan->context, s);
    if (scan->stopped)
        sqlite3_result_error(sql, "stopped", -1);
}

static void no_result(sqlite3_context *sql)
{
    sqlite3_result_null(sql);
}

/* The first reference of the session from `from` on: 1, 0 there is none, or
 * -errno. */
static int next_ref(struct query_db *db, int64_t session, int64_t from,
                    int64_t *out)
{
    sqlite3_stmt *stmt = query_prepare(
        db, "SELECT min(ref) FROM span_rows WHERE session = :session"
            " AND ref >= :from");
    int step = -EIO;
    if (stmt) {
        query_bind_int(stmt, ":session", session);
        query_bind_int(stmt, ":from", from);
        step = query_step(db, stmt);
        if (step > 0 && sqlite3_column_type(stmt, 0) == SQLITE_NULL)
            step = 0;
        if (step > 0)
            *out = query_int(stmt, 0, 0);
    }
    query_finish(stmt);
    return step;
}

static int scan_part(struct scan *scan, sqlite3_stmt *stmt, int64_t from,
                     int64_t last)
{
    query_bind_int(stmt, ":from", from);
    query_bind_int(stmt, ":last", last);
    int step = query_step(scan->db, stmt);
    sqlite3_reset(stmt); /* ends its transaction */
    return scan->stopped ? scan->stopped : step < 0 ? step : 0;
}

static int scan_session(struct scan *scan, sqlite3_stmt *stmt, int64_t session)
{
    int64_t from = INT64_MIN, last;
    int found;
    scan->span.session = session;
    query_bind_int(stmt, ":session", session);
    while ((found = next_ref(scan->db, session, from, &from)) > 0) {
        if (__builtin_add_overflow(from, STRIDE - 1, &last))
            last = INT64_MAX;
        int err = scan_part(scan, stmt, from, last);
        if (err || last == INT64_MAX)
            return err;
        from = last + 1;
    }
    return found;
}

/* The sessions of a trace, if each of them is of no other: their number, 0 if
 * some is, or -errno. Caller frees *out. */
static int own_sessions(struct query_db *db, int64_t trace, int64_t **out)
{
    sqlite3_stmt *stmt = query_prepare(db, query_sql_trace_own_sessions);
    int count = 0, step = stmt ? 0 : -EIO;
    bool is_own = true;
    *out = NULL;
    if (stmt)
        query_bind_int(stmt, ":trace", trace);
    while (stmt && is_own && (step = query_step(db, stmt)) > 0) {
        void *grown = realloc(*out, ((size_t)count + 1) * sizeof **out);
        if (!grown) {
            step = -ENOMEM;
            break;
        }
        *out = grown;
        (*out)[count++] = query_int(stmt, 0, 0);
        is_own = query_int(stmt, 1, 0) == 0;
    }
    query_finish(stmt);
    return step < 0 ? step : is_own ? count : 0;
}

static int scan_sessions(struct scan *scan, int64_t trace, const char *sql,
                         const int64_t *sessions, int count)
{
    sqlite3 *handle = query_handle(scan->db);
    if (sqlite3_create_function(handle, "span_seen", -1, SQLITE_UTF8, scan,
                                NULL, take_row, no_result))
        return -ENOMEM;
    sqlite3_stmt *stmt = query_prepare(scan->db, sql);
    int err = stmt ? 0 : -EIO;
    if (stmt)
        query_bind_int(stmt, ":trace", trace);
    for (int i = 0; i < count && !err; i++)
        err = scan_session(scan, stmt, sessions[i]);
    query_finish(stmt);
    (void)sqlite3_create_function(handle, "span_seen", -1, SQLITE_UTF8, NULL,
                                  NULL, NULL, NULL);
    return err;
}

int query_scan_own(struct query_db *db, int64_t trace, const char *sql,
                   bool *is_own,
                   int (*each)(void *context, const struct query_span *s),
                   void *context)
{
    struct scan scan = {.each = each,
                        .context = context,
                        .db = db,
                        .span = {.process_idx = -1, .self_ns = -1}};
    int64_t *sessions;
    int count = own_sessions(db, trace, &sessions);
    int err = count < 0 ? count : 0;
    *is_own = count > 0;
    if (*is_own)
        err = scan_sessions(&scan, trace, sql, sessions, count);
    free(sessions);
    return err;
}

int query_spans_by_thread(struct query_db *db, int64_t trace,
                          int (*each)(void *context,
                                      const struct query_span *s),
                          void *context)
{
    bool is_own;
    int err = query_scan_own(db, trace, query_sql_trace_span_scan, &is_own,
                             each, context);
    return err || is_own ? err : query_spans(db, trace, false, each, context);
}

char *query_long_text(struct query_db *db, int64_t text)
{
    sqlite3_stmt *stmt =
        query_prepare(db, "SELECT body FROM texts WHERE text = :text");
    char *body = NULL;
    if (stmt) {
        query_bind_int(stmt, ":text", text);
        if (query_step(db, stmt) > 0)
            body = query_text_copy(stmt, 0);
    }
    query_finish(stmt);
    return body;
}
