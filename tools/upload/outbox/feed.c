/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of an uploader and the sinks' rows: see feed.h. The store has
 * another writer, the sidecar: transactions here are a few rows long, and
 * waiting for the other is SQLite's busy handler.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "sql/sql.h"
#include "tools/upload/outbox/feed_internal.h"

enum {
    BUSY_MS = 10000,
};
static const char *const names[FEED_STATEMENTS] = {
    [FEED_BEGIN] = "begin",
    [FEED_COMMIT] = "commit",
    [FEED_ROLLBACK] = "rollback",
    [FEED_SINK_ADD] = "sink_add",
    [FEED_SINK_FIND] = "sink_find",
    [FEED_SINK_MOVE] = "sink_move",
    [FEED_SINK_STATE] = "sink_state",
    [FEED_REFUSE] = "refuse",
    [FEED_AGAIN] = "again",
    [FEED_AGAIN_DONE] = "again_done",
    [FEED_AGAIN_REFUSED] = "again_refused",
    [FEED_ENTRY] = "entry",
    [FEED_SPANS] = "spans",
    [FEED_TRACE] = "trace",
    [FEED_PROCESSES] = "processes",
    [FEED_SITES] = "sites",
    [FEED_LOSSES] = "losses",
    [FEED_ERRORS] = "errors",
    [FEED_THROWS] = "throws",
    [FEED_ROLLUPS] = "rollups",
    [FEED_UPLOADS] = "uploads",
    [FEED_REFUSED] = "refused",
    [FEED_REFUSED_AGAIN] = "refused_again",
    [FEED_REFUSED_DROP] = "refused_drop",
    [FEED_SINK_DROP] = "sink_drop",
    [FEED_SINK_DROP_REFUSED] = "sink_drop_refused",
};
const char *const upload_kind_name[UPLOAD_KINDS] = {
    [UPLOAD_SPANS] = "spans",         [UPLOAD_TRACES] = "traces",
    [UPLOAD_PROCESSES] = "processes", [UPLOAD_SITES] = "sites",
    [UPLOAD_ROLLUPS] = "rollups",     [UPLOAD_LOSSES] = "losses",
    [UPLOAD_ERRORS] = "error_groups", [UPLOAD_THROWS] = "throws",
};

static int failed(struct feed *feed, int code)
{
    snprintf(feed->why, sizeof feed->why, "store: %s",
             sqlite3_errmsg(feed->db));
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_FULL:
        return -ENOSPC;
    default:
        return -EIO;
    }
}

const char *feed_why(const struct feed *feed)
{
    return feed->why;
}

static int64_t unix_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- statements ---------------------------------------------------------- */

static int prepare(struct feed *feed)
{
    for (int i = 0; i < FEED_STATEMENTS; i++) {
        char mark[64];
        int len = snprintf(mark, sizeof mark, "-- :%s\n", names[i]);
        const char *at = strstr(sql_sqlite_upload, mark);
        int code = !at ? SQLITE_ERROR
                       : sqlite3_prepare_v3(feed->db, at + len, -1,
                                            SQLITE_PREPARE_PERSISTENT,
                                            &feed->statement[i], NULL);
        if (code != SQLITE_OK)
            return failed(feed, code);
    }
    return 0;
}

sqlite3_stmt *feed_start(struct feed *feed, enum feed_statement which,
                         const char *shape, ...)
{
    sqlite3_stmt *s = feed->statement[which];
    va_list arguments;
    va_start(arguments, shape);
    sqlite3_reset(s);
    for (int i = 0; shape[i]; i++) {
        if (shape[i] == 't') {
            const char *text = va_arg(arguments, const char *);
            sqlite3_bind_text(s, i + 1, text, -1, SQLITE_TRANSIENT);
            continue;
        }
        int64_t n = va_arg(arguments, int64_t);
        if (n == UPLOAD_NULL)
            sqlite3_bind_null(s, i + 1);
        else
            sqlite3_bind_int64(s, i + 1, n);
    }
    va_end(arguments);
    return s;
}

int feed_next(struct feed *feed, sqlite3_stmt *s)
{
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        return 1;
    int rc = code == SQLITE_DONE ? 0 : failed(feed, code);
    sqlite3_reset(s);
    return rc;
}

/* To its end; rows changed, or -errno. */
static int run(struct feed *feed, sqlite3_stmt *s)
{
    int rc;
    do
        rc = feed_next(feed, s);
    while (rc > 0);
    return rc < 0 ? rc : sqlite3_changes(feed->db);
}

int64_t feed_column(sqlite3_stmt *s, int i)
{
    return sqlite3_column_type(s, i) == SQLITE_NULL
               ? UPLOAD_NULL
               : sqlite3_column_int64(s, i);
}

static const char *column_text(sqlite3_stmt *s, int i)
{
    return (const char *)sqlite3_column_text(s, i);
}

/* ---- open ---------------------------------------------------------------- */

static int version_look(struct feed *feed)
{
    sqlite3_stmt *s = NULL;
    int version = -1;
    int code =
        sqlite3_prepare_v2(feed->db, "PRAGMA user_version", -1, &s, NULL);
    if (code == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        version = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    if (version == sql_sqlite_version)
        return 0;
    if (version < 0)
        return failed(feed, SQLITE_ERROR);
    snprintf(feed->why, sizeof feed->why,
             "the store has version %d, not %d: a sidecar brings it up to date",
             version, sql_sqlite_version);
    return -ENOENT;
}

static int set_up(struct feed *feed)
{
    sqlite3_busy_timeout(feed->db, BUSY_MS);
    int rc = version_look(feed);
    if (rc != 0)
        return rc;
    int code = sqlite3_exec(feed->db,
                            "PRAGMA synchronous = NORMAL;"
                            "PRAGMA wal_autocheckpoint = 10000;"
                            "PRAGMA cache_size = -2048;",
                            NULL, NULL, NULL);
    return code == SQLITE_OK ? prepare(feed) : failed(feed, code);
}

int feed_open_all(const char *store, struct feed **out, char *why,
                  size_t why_bytes)
{
    struct feed *feed = calloc(1, sizeof *feed);
    if (!feed)
        return -ENOMEM;
    int code = sqlite3_open_v2(
        store, &feed->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    int rc = code == SQLITE_CANTOPEN ? -ENOENT
             : code != SQLITE_OK     ? failed(feed, code)
                                     : set_up(feed);
    if (rc != 0) {
        snprintf(why, why_bytes, "%s", feed->why[0] ? feed->why : "no store");
        feed_close(feed);
        return rc;
    }
    *out = feed;
    return 0;
}

static int sink_row(struct feed *feed, const char *name)
{
    sqlite3_stmt *s = feed_start(feed, FEED_SINK_FIND, "t", name);
    int rc = feed_next(feed, s);
    if (rc <= 0)
        return rc < 0 ? rc : -ENOENT;
    feed->sink = feed_column(s, 0);
    feed->at = (struct feed_position){.seq = feed_column(s, 1),
                                      .ref = feed_column(s, 2)};
    feed->at.after = -1;
    sqlite3_reset(s);
    return 0;
}

int feed_open(const char *store, const char *name, struct feed **out, char *why,
              size_t why_bytes)
{
    struct feed *feed = NULL;
    int rc = feed_open_all(store, &feed, why, why_bytes);
    if (rc != 0)
        return rc;
    rc = sink_row(feed, name);
    if (rc == -ENOENT) {
        rc = run(feed, feed_start(feed, FEED_SINK_ADD, "ti", name, unix_ns()));
        rc = rc < 0 ? rc : sink_row(feed, name);
    }
    if (rc != 0) {
        snprintf(why, why_bytes, "%s", feed->why);
        feed_close(feed);
        return rc;
    }
    *out = feed;
    return 0;
}

void feed_close(struct feed *feed)
{
    if (!feed)
        return;
    for (int i = 0; i < FEED_STATEMENTS; i++)
        sqlite3_finalize(feed->statement[i]);
    sqlite3_close(feed->db);
    free(feed);
}

/* ---- writing ------------------------------------------------------------- */

int feed_move(struct feed *feed, const struct feed_batch *batch,
              int64_t rejected)
{
    int64_t spans = 0;
    if (batch->count == 0 && batch->end.seq == feed->at.seq)
        return 0;
    for (uint32_t i = 0; i < batch->count; i++)
        spans += batch->rows[i].kind == UPLOAD_SPANS;
    int rc = run(feed, feed_start(feed, FEED_SINK_MOVE, "iiiiiii", feed->sink,
                                  batch->end.seq, batch->end.ref,
                                  spans - batch->refused_spans,
                                  (int64_t)batch->count - batch->refused_rows,
                                  rejected, unix_ns()));
    if (rc >= 0)
        feed->at = batch->end;
    return rc < 0 ? rc : 0;
}

static void key_of(const struct upload_row *row, char *out, size_t cap_bytes)
{
    char trace[33];
    const uint8_t *id = row->kind == UPLOAD_SPANS     ? row->span.trace_id
                        : row->kind == UPLOAD_TRACES  ? row->trace.trace_id
                        : row->kind == UPLOAD_ROLLUPS ? row->rollup.trace_id
                                                      : row->process.trace_id;
    for (int i = 0; i < 16; i++)
        snprintf(trace + i * 2, 3, "%02x", id[i]);
    if (row->kind == UPLOAD_SPANS)
        snprintf(out, cap_bytes, "%s/%016llx", trace,
                 (unsigned long long)row->span.span_id);
    else if (row->kind == UPLOAD_TRACES)
        snprintf(out, cap_bytes, "%s v%lld", trace,
                 (long long)row->trace.version);
    else if (row->kind == UPLOAD_PROCESSES)
        snprintf(out, cap_bytes, "%s/%016llx v%lld", trace,
                 (unsigned long long)row->process.span_id,
                 (long long)row->process.version);
    else if (row->kind == UPLOAD_ROLLUPS)
        snprintf(out, cap_bytes, "%s/%016llx:%lld v%lld", trace,
                 (unsigned long long)row->rollup.session,
                 (long long)row->rollup.site, (long long)row->rollup.version);
    else if (row->kind == UPLOAD_SITES)
        snprintf(out, cap_bytes, "%016llx:%lld v%lld",
                 (unsigned long long)row->site.session,
                 (long long)row->site.site, (long long)row->site.version);
    else if (row->kind == UPLOAD_ERRORS)
        snprintf(out, cap_bytes, "%016llx:%s v%lld",
                 (unsigned long long)row->error.session, row->error.fingerprint,
                 (long long)row->error.version);
    else if (row->kind == UPLOAD_THROWS)
        snprintf(out, cap_bytes, "%016llx:%lld %s",
                 (unsigned long long)row->thrown.session,
                 (long long)row->thrown.site,
                 row->thrown.type ? row->thrown.type : "");
    else
        snprintf(out, cap_bytes, "%016llx:%lld %s",
                 (unsigned long long)row->loss.session,
                 (long long)row->loss.site,
                 row->loss.loss ? row->loss.loss : "");
}

int feed_refuse(struct feed *feed, const struct upload_row *row,
                const char *body, const char *code, const char *message)
{
    char key[128];
    bool is_span = row->kind == UPLOAD_SPANS;
    key_of(row, key, sizeof key);
    int rc = run(feed, feed_start(feed, FEED_REFUSE, "ittiittti", feed->sink,
                                  upload_kind_name[row->kind], key,
                                  is_span ? row->span.session_row : UPLOAD_NULL,
                                  is_span ? row->span.ref : UPLOAD_NULL, body,
                                  code, message, unix_ns()));
    return rc < 0 ? rc : 0;
}

int feed_state(struct feed *feed, const char *state, const char *code,
               const char *error, int64_t retry_in_ms)
{
    int64_t now = unix_ns();
    int rc =
        run(feed, feed_start(feed, FEED_SINK_STATE, "itttii", feed->sink, state,
                             error, code, error ? now : UPLOAD_NULL,
                             retry_in_ms < 0 ? UPLOAD_NULL
                                             : now + retry_in_ms * 1000000));
    return rc < 0 ? rc : 0;
}

int feed_again(struct feed *feed, int64_t *id, enum upload_kind *kind,
               char **body)
{
    sqlite3_stmt *s = feed_start(feed, FEED_AGAIN, "i", feed->sink);
    int rc = feed_next(feed, s);
    if (rc <= 0)
        return rc;
    const char *name = column_text(s, 1), *text = column_text(s, 2);
    *id = feed_column(s, 0);
    *body = text ? strdup(text) : NULL;
    *kind = UPLOAD_KINDS;
    for (int i = 0; i < UPLOAD_KINDS; i++)
        if (name && strcmp(name, upload_kind_name[i]) == 0)
            *kind = (enum upload_kind)i;
    sqlite3_reset(s);
    return *body ? 1 : -ENOMEM;
}

int feed_again_done(struct feed *feed, int64_t id, const char *code,
                    const char *message)
{
    int rc = run(feed, code ? feed_start(feed, FEED_AGAIN_REFUSED, "itti", id,
                                         code, message, unix_ns())
                            : feed_start(feed, FEED_AGAIN_DONE, "i", id));
    return rc < 0 ? rc : 0;
}

/* ---- for people ---------------------------------------------------------- */

int feed_sinks(struct feed *feed,
               void (*call)(void *with, const struct feed_sink *sink),
               void *with)
{
    sqlite3_stmt *s = feed_start(feed, FEED_UPLOADS, "");
    int rc;
    while ((rc = feed_next(feed, s)) > 0) {
        struct feed_sink k = {.sink = feed_column(s, 0),
                              .name = column_text(s, 1),
                              .state = column_text(s, 2),
                              .sent_spans = feed_column(s, 3),
                              .sent_rows = feed_column(s, 4),
                              .rejected = feed_column(s, 5),
                              .ok_unix_ns = feed_column(s, 6),
                              .error = column_text(s, 7),
                              .error_code = column_text(s, 8),
                              .error_unix_ns = feed_column(s, 9),
                              .retry_unix_ns = feed_column(s, 10),
                              .waiting_spans = feed_column(s, 11),
                              .waiting_since_unix_ns = feed_column(s, 12),
                              .refused = feed_column(s, 13),
                              .waiting_entries = feed_column(s, 14)};
        call(with, &k);
    }
    return rc;
}

int feed_refused(struct feed *feed,
                 void (*call)(void *with, const struct feed_refused *refused),
                 void *with)
{
    sqlite3_stmt *s = feed_start(feed, FEED_REFUSED, "");
    int rc;
    while ((rc = feed_next(feed, s)) > 0) {
        struct feed_refused r = {.id = feed_column(s, 0),
                                 .sink = column_text(s, 1),
                                 .kind = column_text(s, 2),
                                 .key = column_text(s, 3),
                                 .code = column_text(s, 4),
                                 .message = column_text(s, 5),
                                 .at_unix_ns = feed_column(s, 6),
                                 .tries = feed_column(s, 7),
                                 .again = feed_column(s, 8) == 1,
                                 .body = column_text(s, 9)};
        call(with, &r);
    }
    return rc;
}

int feed_set_again(struct feed *feed, int64_t id)
{
    return run(feed, feed_start(feed, FEED_REFUSED_AGAIN, "i", id));
}

int feed_drop_refused(struct feed *feed, int64_t id)
{
    return run(feed, feed_start(feed, FEED_REFUSED_DROP, "i", id));
}

int feed_drop_sink(struct feed *feed, int64_t sink)
{
    int rc = run(feed, feed_start(feed, FEED_BEGIN, ""));
    if (rc >= 0)
        rc = run(feed, feed_start(feed, FEED_SINK_DROP_REFUSED, "i", sink));
    int changed =
        rc >= 0 ? run(feed, feed_start(feed, FEED_SINK_DROP, "i", sink)) : rc;
    rc = run(feed,
             feed_start(feed, changed < 0 ? FEED_ROLLBACK : FEED_COMMIT, ""));
    return changed < 0 ? changed : rc < 0 ? rc : changed;
}
