/* SPDX-License-Identifier: Apache-2.0 */
/* See remove.h. */
#include "tools/store/remove.h"
#include <sqlite3.h>
#include <stddef.h>
#include "sql/sql.h"
#include "tools/store/statements.h"

static int run(sqlite3 *db, const char *name)
{
    return statements_run(db, sql_sqlite_retention, name, "");
}

static int run_for(sqlite3 *db, const char *name, int64_t id)
{
    return statements_run(db, sql_sqlite_retention, name, "i", id);
}

int remove_end(sqlite3 *db, int code)
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
static int drop_rest(sqlite3 *db, const struct remove_trace *t)
{
    static const char *const names[] = {"drop_rollups",
                                        "drop_processes",
                                        "drop_contexts",
                                        "drop_trace",
                                        "drop_outbox",
                                        "drop_dirty",
                                        NULL};
    int code = each_of(db, names, t->trace);
    return code == SQLITE_OK
               ? statements_run(db, sql_sqlite_retention, "tombstone_done", "b",
                                t->id, sizeof t->id)
               : code;
}

int remove_chunk(sqlite3 *db)
{
    int code = run(db, "chunk_drop");
    if (code == SQLITE_OK)
        code = run(db, "chunk_leave");
    return code == SQLITE_OK ? run(db, "chunk_texts") : code;
}

int remove_step(sqlite3 *db, const struct remove_trace *t, bool with_refused,
                int64_t most, struct retention_done *done, bool *more)
{
    int64_t spans = 0;
    bool is_whole = sqlite3_get_autocommit(db); /* else it is the caller's */
    int code = is_whole ? run(db, "begin") : SQLITE_OK;
    if (code == SQLITE_OK)
        code = run(db, "chunk_clear");
    if (code == SQLITE_OK)
        code = statements_run(db, sql_sqlite_retention, "chunk_of_trace", "ii",
                              t->trace, most);
    spans = sqlite3_changes64(db);
    if (code == SQLITE_OK && with_refused)
        code = run(db, "chunk_refused");
    if (code == SQLITE_OK)
        code = run(db, "chunk_overdue");
    if (code == SQLITE_OK)
        code = remove_chunk(db);
    bool is_last = spans < most;
    if (code == SQLITE_OK && is_last)
        code = drop_rest(db, t);
    if (is_whole)
        code = remove_end(db, code);
    if (code == SQLITE_OK) {
        done->spans += spans;
        done->traces += is_last;
        *more = !is_last;
    }
    return code;
}

/* The next session behind *after that has no trace; 0: none on this page. */
static int next_empty(sqlite3 *db, bool include_unsent, int64_t *after,
                      int64_t *session, bool *more)
{
    sqlite3_stmt *s =
        statements_begin(db, sql_sqlite_retention, "empty_session", "ii",
                         (int64_t)include_unsent, *after);
    int code = s ? SQLITE_ROW : SQLITE_ERROR;
    *session = 0;
    *more = false;
    while (*session == 0 && code == SQLITE_ROW &&
           (code = sqlite3_step(s)) == SQLITE_ROW) {
        *more = true;
        *after = sqlite3_column_int64(s, 0);
        if (sqlite3_column_int(s, 1))
            *session = *after;
    }
    sqlite3_finalize(s);
    return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code;
}

int remove_empty_session(sqlite3 *db, bool include_unsent, int64_t *after,
                         bool *more)
{
    static const char *const names[] = {"session_spans",
                                        "session_texts",
                                        "session_processes",
                                        "session_threads",
                                        "session_sites",
                                        "session_losses",
                                        "session_rollups",
                                        "session_outbox",
                                        "session_cursors",
                                        "session_frames",
                                        "session_counters",
                                        "session_stacks",
                                        "session_origins",
                                        "session_throws",
                                        "session_overdue",
                                        "session_drop",
                                        NULL};
    int64_t session = 0;
    int code = run(db, "begin");
    if (code == SQLITE_OK)
        code = next_empty(db, include_unsent, after, &session, more);
    if (code == SQLITE_OK && session)
        code = each_of(db, names, session);
    return remove_end(db, code);
}
