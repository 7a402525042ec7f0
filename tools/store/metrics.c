/* SPDX-License-Identifier: Apache-2.0 */
/* See metrics.h. */
#include "tools/store/metrics.h"
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include "sql/sql.h"
#include "tools/store/migrate.h"
#include "tools/store/statements.h"

enum {
    BUSY_MS = 1000,
    COLUMN_CALLS = 2, /* of :handlers */
    COLUMN_SECONDS = 5,
};

static sqlite3 *open_store(const char *path)
{
    sqlite3 *db = NULL;
    int version = 0;
    struct stat at;
    if (stat(path, &at) != 0 || !S_ISREG(at.st_mode)) /* a pipe would wait */
        return NULL;
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(db, BUSY_MS);
        code = migrate_version(db, &version);
    }
    if (code == SQLITE_OK && version == sql_sqlite_version)
        return db;
    statements_close(db);
    return NULL;
}

static void head(struct buf *b, const char *name, const char *help)
{
    buf_printf(b, "# HELP handspan_%s %s\n# TYPE handspan_%s gauge\n", name,
               help, name);
}

static void gauge(struct buf *b, const char *name, const char *help, int64_t n)
{
    if (n < 0)
        return;
    head(b, name, help);
    buf_printf(b, "handspan_%s %" PRId64 "\n", name, n);
}

/* label="value": \\, " and newlines escaped. */
static void put_label(struct buf *b, const char *label, const char *value)
{
    buf_printf(b, "%s=\"", label);
    for (; value && *value; value++) {
        if (*value == '\\' || *value == '"')
            buf_char(b, '\\');
        if (*value == '\n')
            buf_text(b, "\\n");
        else
            buf_char(b, *value);
    }
    buf_char(b, '"');
}

static void labelled(struct buf *b, const char *name, const char *label,
                     const char *value, int64_t n)
{
    buf_printf(b, "handspan_%s{", name);
    put_label(b, label, value);
    buf_printf(b, "} %" PRId64 "\n", n);
}

static int put_totals(sqlite3 *db, struct buf *b)
{
    int64_t n[7] = {0};
    int found;
    int code =
        statements_get(db, sql_sqlite_metrics, "totals", n, 7, &found, "");
    if (code != SQLITE_OK)
        return code;
    gauge(b, "traces", "Traces in the store.", n[0]);
    gauge(b, "traces_open", "Traces that still run.", n[1]);
    gauge(b, "calls", "Calls in the totals.", n[2]);
    gauge(b, "calls_failed", "Calls that failed.", n[3]);
    gauge(b, "calls_without_detail", "Calls in the totals alone.", n[4]);
    gauge(b, "sessions_live", "Sessions that are not stored whole.", n[5]);
    gauge(b, "store_bytes", "Size of the store.", n[6]);
    return SQLITE_OK;
}

static int put_losses(sqlite3 *db, struct buf *b)
{
    sqlite3_stmt *s = statements_begin(db, sql_sqlite_metrics, "losses", "");
    int code = s ? SQLITE_ROW : SQLITE_ERROR;
    head(b, "lost", "What is missing, by kind.");
    while (code == SQLITE_ROW && (code = sqlite3_step(s)) == SQLITE_ROW)
        labelled(b, "lost", "kind", (const char *)sqlite3_column_text(s, 0),
                 sqlite3_column_int64(s, 1));
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* ---- by program and handler --------------------------------------------- */

static void put_seconds(struct buf *b, int64_t ns)
{
    buf_printf(b, "%" PRId64 ".%09" PRId64 "\n", ns / 1000000000,
               ns % 1000000000);
}

static const char *text_of(sqlite3_stmt *s, int column)
{
    return (const char *)sqlite3_column_text(s, column);
}

/* A row as a line of the metric that is `column` of it; -1: its histogram. */
static void put_handler(struct buf *b, sqlite3_stmt *s, const char *name,
                        int column, int le)
{
    /* buckets of the store begin at powers of two */
    static const int exponents[] = {10, 15, 20, 23, 25, 27, 30, 33, 36, 40};
    enum {
        EDGES = sizeof exponents / sizeof *exponents,
        FIRST_EDGE = 6
    };
    buf_printf(b, "handspan_%s{", name);
    put_label(b, "program", text_of(s, 0));
    buf_char(b, ',');
    put_label(b, "handler", text_of(s, 1));
    if (le >= 0 && le < EDGES) {
        int64_t ns = (INT64_C(1) << exponents[le]) - 1;
        buf_printf(b, ",le=\"%" PRId64 ".%09" PRId64 "\"", ns / 1000000000,
                   ns % 1000000000);
        column = FIRST_EDGE + le;
    } else if (le == EDGES) {
        buf_text(b, ",le=\"+Inf\"");
    }
    buf_text(b, "} ");
    if (column == COLUMN_SECONDS)
        put_seconds(b, sqlite3_column_int64(s, column));
    else
        buf_printf(b, "%lld\n", sqlite3_column_int64(s, column));
    if (le >= 0 && le < EDGES)
        put_handler(b, s, name, COLUMN_CALLS, le + 1);
}

static int put_handlers(sqlite3 *db, struct buf *b)
{
    static const struct {
        const char *name, *help;
        int column, le;
    } metrics[] = {
        {"handler_calls", "Calls of a handler in the newest 200 traces.",
         COLUMN_CALLS, -1},
        {"handler_failed", "Of them that failed.", COLUMN_CALLS + 1, -1},
        {"handler_overdue", "Of them that were overdue.", COLUMN_CALLS + 2, -1},
        {"handler_seconds", "Time of them, of a recursive one the outermost.",
         COLUMN_SECONDS, -1},
        {"handler_calls_within", "Of them that took at most le seconds.",
         COLUMN_CALLS, 0},
    };
    int code = SQLITE_DONE;
    for (size_t i = 0;
         code == SQLITE_DONE && i < sizeof metrics / sizeof *metrics; i++) {
        sqlite3_stmt *s =
            statements_begin(db, sql_sqlite_metrics, "handlers", "");
        code = s ? SQLITE_ROW : SQLITE_ERROR;
        head(b, metrics[i].name, metrics[i].help);
        while (code == SQLITE_ROW && (code = sqlite3_step(s)) == SQLITE_ROW)
            put_handler(b, s, metrics[i].name, metrics[i].column,
                        metrics[i].le);
        sqlite3_finalize(s);
    }
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int put_programs(sqlite3 *db, struct buf *b)
{
    static const char *const metrics[][2] = {
        {"program_failed", "1: the last trace of it that ended has failed."},
        {"program_start_seconds", "When that began."},
        {"program_seconds", "How long it took."}};
    int code = SQLITE_DONE;
    for (int i = 0; code == SQLITE_DONE && i < 3; i++) {
        sqlite3_stmt *s =
            statements_begin(db, sql_sqlite_metrics, "programs", "");
        code = s ? SQLITE_ROW : SQLITE_ERROR;
        head(b, metrics[i][0], metrics[i][1]);
        while (code == SQLITE_ROW && (code = sqlite3_step(s)) == SQLITE_ROW) {
            buf_printf(b, "handspan_%s{", metrics[i][0]);
            put_label(b, "program", text_of(s, 0));
            buf_text(b, "} ");
            if (i == 2)
                put_seconds(b, sqlite3_column_int64(s, 3));
            else
                buf_printf(b, "%lld\n", sqlite3_column_int64(s, i + 1));
        }
        sqlite3_finalize(s);
    }
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* ---- sinks --------------------------------------------------------------- */

static int each_sink(sqlite3 *db,
                     void (*each)(void *context,
                                  const struct metrics_sink *sink),
                     void *context)
{
    sqlite3_stmt *s = statements_begin(db, sql_sqlite_metrics, "sinks", "");
    int code = s ? SQLITE_ROW : SQLITE_ERROR;
    while (code == SQLITE_ROW && (code = sqlite3_step(s)) == SQLITE_ROW) {
        struct metrics_sink k = {
            .name = (const char *)sqlite3_column_text(s, 0),
            .state = (const char *)sqlite3_column_text(s, 1),
            .sent_spans = sqlite3_column_int64(s, 2),
            .rejected = sqlite3_column_int64(s, 3),
            .refused = sqlite3_column_int64(s, 4),
            .waiting_entries = sqlite3_column_int64(s, 5),
            .waiting_since_unix_ns = sqlite3_column_int64(s, 6),
            .ok_unix_ns = sqlite3_column_int64(s, 7),
            .error = (const char *)sqlite3_column_text(s, 8),
            .error_code = (const char *)sqlite3_column_text(s, 9),
            .error_unix_ns = sqlite3_column_int64(s, 10),
            .retry_unix_ns = sqlite3_column_int64(s, 11)};
        each(context, &k);
    }
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Lines of one metric must stand together, so each is a pass of its own. */
struct pass {
    struct buf *out;
    const char *name;
    int64_t now_unix_ns;
    int which;
};

static void put_sink(void *context, const struct metrics_sink *k)
{
    const struct pass *p = context;
    int64_t lag = k->waiting_since_unix_ns > 0
                      ? (p->now_unix_ns - k->waiting_since_unix_ns) / 1000000000
                      : 0;
    const int64_t values[] = {k->sent_spans,     k->waiting_entries,
                              lag > 0 ? lag : 0, k->rejected,
                              k->refused,        k->error ? 1 : 0};
    labelled(p->out, p->name, "sink", k->name, values[p->which]);
}

static int put_sinks(sqlite3 *db, int64_t now_unix_ns, struct buf *b)
{
    static const char *const metrics[][2] = {
        {"sink_sent_spans", "Spans that the sink acknowledged."},
        {"sink_waiting_entries", "Entries of the outbox it does not have."},
        {"sink_lag_seconds", "Age of the oldest of them."},
        {"sink_rejected", "Spans given up by partial success."},
        {"sink_refused", "Rows set aside."},
        {"sink_failing", "1: its last upload failed."},
    };
    int code = SQLITE_OK;
    for (int i = 0; code == SQLITE_OK && i < 6; i++) {
        struct pass pass = {b, metrics[i][0], now_unix_ns, i};
        head(b, metrics[i][0], metrics[i][1]);
        code = each_sink(db, put_sink, &pass);
    }
    return code;
}

int metrics_text(const char *store, const struct metrics_sidecar *sidecar,
                 int64_t now_unix_ns, struct buf *out)
{
    gauge(out, "sessions_waiting", "Sessions the sidecar has before it.",
          sidecar->sessions_waiting);
    gauge(out, "sessions_left_alone", "Sessions it cannot read.",
          sidecar->sessions_left_alone);
    gauge(out, "drained_items", "Items drained since the sidecar began.",
          sidecar->drained_items);
    gauge(out, "store_failures", "Failed writes in a row; 0: all is well.",
          sidecar->store_failures);
    gauge(out, "time_seconds", "When these figures were taken.",
          now_unix_ns / 1000000000);
    sqlite3 *db = open_store(store);
    if (!db)
        return 0;
    int code = put_totals(db, out);
    if (code == SQLITE_OK)
        code = put_losses(db, out);
    if (code == SQLITE_OK)
        code = put_handlers(db, out);
    if (code == SQLITE_OK)
        code = put_programs(db, out);
    if (code == SQLITE_OK)
        code = put_sinks(db, now_unix_ns, out);
    statements_close(db);
    return code == SQLITE_OK ? 0 : migrate_errno(code);
}

int metrics_sinks(const char *store,
                  void (*each)(void *context, const struct metrics_sink *sink),
                  void *context)
{
    sqlite3 *db = open_store(store);
    if (!db)
        return 0;
    int code = each_sink(db, each, context);
    statements_close(db);
    return code == SQLITE_OK ? 0 : migrate_errno(code);
}
