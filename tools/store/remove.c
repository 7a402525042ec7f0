/* SPDX-License-Identifier: Apache-2.0 */
/* See remove.h. */
#include "tools/store/remove.h"
#include <sqlite3.h>
#include <stddef.h>
#include "sql/sql.h"
#include "tools/store/statements.h"

enum {
    CHUNK = 2000,      /* spans a transaction */
    KEEP_SLOWEST = 16, /* of each handler in a trace */
};

static int run(sqlite3 *db, const char *name)
{
    return statements_run(db, sql_sqlite_retention, name, "");
}

static int run_for(sqlite3 *db, const char *name, int64_t id)
{
    return statements_run(db, sql_sqlite_retention, name, "i", id);
}

/* Ends the transaction either way. */
static int end(sqlite3 *db, int code)
{
    if (code == SQLITE_OK)
        code = run(db, "commit");
    if (code != SQLITE_OK && !sqlite3_get_autocommit(db)) {
        int ignored = run(db, "rollback");
        (void)ignored;
    }
    return code;
}

static int each_of(sqlite3 *db, const char *const *names, int64_t id)
{
    int code = SQLITE_OK;
    for (; *names && code == SQLITE_OK; names++)
        code = run_for(db, *names, id);
    return code;
}

int remove_begin(sqlite3 *db, const struct remove_trace *t, const char *reason,
                 int64_t now_unix_ns)
{
    return statements_run(db, sql_sqlite_retention, "tombstone", "biti", t->id,
                          sizeof t->id, now_unix_ns, reason, (int64_t)0);
}

/* What is left when its spans are gone. */
static int drop_rest(sqlite3 *db, int64_t trace)
{
    static const char *const names[] = {"drop_rollups",
                                        "drop_processes",
                                        "drop_contexts",
                                        "drop_trace",
                                        "drop_outbox",
                                        "drop_dirty",
                                        NULL};
    return each_of(db, names, trace);
}

int remove_step(sqlite3 *db, const struct remove_trace *t, bool with_refused,
                struct retention_done *done, bool *more)
{
    int64_t spans = 0;
    int code = run(db, "begin");
    if (code == SQLITE_OK)
        code = run(db, "chunk_clear");
    if (code == SQLITE_OK)
        code = statements_run(db, sql_sqlite_retention, "chunk_of_trace", "ii",
                              t->trace, (int64_t)CHUNK);
    spans = sqlite3_changes64(db);
    if (code == SQLITE_OK && with_refused)
        code = run(db, "chunk_refused");
    if (code == SQLITE_OK)
        code = run(db, "chunk_overdue");
    if (code == SQLITE_OK)
        code = run(db, "chunk_drop");
    bool is_last = spans < CHUNK;
    if (code == SQLITE_OK && is_last)
        code = drop_rest(db, t->trace);
    code = end(db, code);
    if (code == SQLITE_OK) {
        done->spans += spans;
        done->traces += is_last;
        *more = !is_last;
    }
    return code;
}

int remove_empty_session(sqlite3 *db, bool include_unsent, bool *found)
{
    static const char *const names[] = {"session_spans",   "session_processes",
                                        "session_threads", "session_sites",
                                        "session_losses",  "session_rollups",
                                        "session_outbox",  "session_cursors",
                                        "session_frames",  "session_counters",
                                        "session_stacks",  "session_origins",
                                        "session_throws",  "session_overdue",
                                        "session_drop",    NULL};
    int64_t session = 0;
    int there = 0;
    int code = run(db, "begin");
    if (code == SQLITE_OK)
        code =
            statements_get(db, sql_sqlite_retention, "empty_session", &session,
                           1, &there, "i", (int64_t)include_unsent);
    if (code == SQLITE_OK && there)
        code = each_of(db, names, session);
    *found = there;
    return end(db, code);
}

/* ---- thinning out -------------------------------------------------------- */

int thin_begin(sqlite3 *db, const struct remove_trace *t)
{
    int code = run(db, "keep_clear");
    if (code == SQLITE_OK)
        code = statements_run(db, sql_sqlite_retention, "keep_fill", "ii",
                              t->trace, (int64_t)KEEP_SLOWEST);
    return code == SQLITE_OK ? run(db, "keep_callers") : code;
}

/* The chunk becomes calls without detail. That is no change that sinks should
 * hear of: they have the detail. */
static int thin_chunk(sqlite3 *db, const struct remove_trace *t)
{
    int code = run_for(db, "thin_rollups", t->trace);
    if (code == SQLITE_OK)
        code = run(db, "thin_losses");
    if (code == SQLITE_OK)
        code = run(db, "chunk_drop");
    return code == SQLITE_OK ? run_for(db, "drop_dirty", t->trace) : code;
}

int thin_step(sqlite3 *db, const struct remove_trace *t, int64_t now_unix_ns,
              struct retention_done *done, bool *more)
{
    int64_t spans = 0, dirty = 0;
    int is_dirty = 0;
    *more = false;
    int code = run(db, "begin");
    if (code == SQLITE_OK)
        code = statements_get(db, sql_sqlite_retention, "is_dirty", &dirty, 1,
                              &is_dirty, "i", t->trace);
    if (code == SQLITE_OK && is_dirty) /* another time */
        return end(db, code);
    if (code == SQLITE_OK)
        code = run(db, "chunk_clear");
    if (code == SQLITE_OK)
        code = statements_run(db, sql_sqlite_retention, "chunk_to_thin", "ii",
                              t->trace, (int64_t)CHUNK);
    spans = sqlite3_changes64(db);
    if (code == SQLITE_OK && spans > 0)
        code = thin_chunk(db, t);
    if (code == SQLITE_OK)
        code =
            statements_run(db, sql_sqlite_retention, "tombstone", "biti", t->id,
                           sizeof t->id, now_unix_ns, "outcome", spans);
    code = end(db, code);
    if (code == SQLITE_OK) {
        done->thinned_spans += spans;
        done->thinned_traces += spans < CHUNK;
        *more = spans == CHUNK;
    }
    return code;
}
