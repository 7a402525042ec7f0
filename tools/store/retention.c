/* SPDX-License-Identifier: Apache-2.0 */
/* See retention.h. remove.c does the single removals. */
#include "tools/store/retention.h"
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "sql/sql.h"
#include "tools/store/migrate.h"
#include "tools/store/remove.h"
#include "tools/store/statements.h"
#include "tools/store/thin.h"
#include "tools/store/wal.h"

enum {
    BUSY_MS = 5000,
    VACUUM_PAGES = 256, /* given back in a step */
    SHRINK_PART = 10,   /* once too large, a tenth less than allowed */
    CHUNK_FIRST = 500,  /* spans taken out in a step: as many as */
    CHUNK_MOST = 2000,  /* go in 10 to 20 ms */
    CHUNK_LEAST = 20,
    STEP_NS = 20000000,
};
enum doing {
    IDLE,
    REMOVING,
    THINNING,
};
/* What a look at the store goes through, each once from the oldest trace on. */
enum pass {
    PASS_BEGUN,
    PASS_AGE,
    PASS_THIN_AGE,
    PASS_SIZE_THIN,
    PASS_SIZE_RUNNING,
    PASS_SIZE_GOOD,
    PASS_SIZE_ANY,
    PASS_SESSIONS,
    PASS_SHRINK, /* pages are given back */
};
enum purpose { /* of retention.sql :oldest */
    PURPOSE_REMOVE,
    PURPOSE_THIN,
    PURPOSE_THIN_RUNNING,
};

struct retention {
    sqlite3 *db;
    struct wal wal;
    enum doing doing;
    enum pass pass;
    int64_t after_start, after; /* the last trace, or session, looked at */
    int64_t chunk;
    struct remove_trace trace;
    struct thin *thin;
    bool is_shrinking;
    char why[512];
};

const char *retention_why(const struct retention *r)
{
    return r->why;
}

static int failed(struct retention *r, int code)
{
    snprintf(r->why, sizeof r->why, "%s", sqlite3_errmsg(r->db));
    int rc = migrate_errno(code);
    return rc ? rc : -EIO;
}

int retention_open(const char *path, struct retention **out, char *why,
                   size_t why_bytes)
{
    static const char *const set_up[] = {"temp_chunk", "temp_unsent"};
    int version = 0, rc = 0;
    struct retention *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    int code = sqlite3_open_v2(path, &r->db, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(r->db, BUSY_MS);
        wal_begin(&r->wal, r->db);
        code = migrate_version(r->db, &version);
    }
    if (code == SQLITE_OK && version != sql_sqlite_version) {
        snprintf(r->why, sizeof r->why, "its version is %d, not %d", version,
                 sql_sqlite_version);
        rc = -EPROTONOSUPPORT;
    }
    for (size_t i = 0;
         code == SQLITE_OK && rc == 0 && i < sizeof set_up / sizeof *set_up;
         i++)
        code = statements_run(r->db, sql_sqlite_retention, set_up[i], "");
    if (code != SQLITE_OK)
        rc = failed(r, code);
    if (rc != 0) {
        snprintf(why, why_bytes, "store '%s': %s", path, r->why);
        retention_close(r);
        return rc;
    }
    r->chunk = CHUNK_FIRST;
    r->after_start = INT64_MIN;
    *out = r;
    return 0;
}

void retention_close(struct retention *r)
{
    if (!r)
        return;
    thin_end(r->thin);
    statements_close(r->db);
    free(r);
}

/* ---- sizes --------------------------------------------------------------- */

int retention_size(struct retention *r, struct retention_size *out)
{
    int64_t n[4] = {0};
    int found;
    int code =
        statements_get(r->db, sql_sqlite_retention, "pages", n, 4, &found, "");
    if (code != SQLITE_OK || !found)
        return failed(r, code);
    *out = (struct retention_size){.used_bytes = (n[0] - n[1]) * n[2],
                                   .free_bytes = n[1] * n[2],
                                   .gives_back = n[3] == 2};
    return 0;
}

static int give_back(struct retention *r)
{
    char pragma[64];
    struct retention_size size;
    int rc = retention_size(r, &size);
    if (rc != 0 || !size.gives_back || size.free_bytes == 0)
        return rc;
    snprintf(pragma, sizeof pragma, "PRAGMA incremental_vacuum(%d)",
             VACUUM_PAGES);
    int code = sqlite3_exec(r->db, pragma, NULL, NULL, NULL);
    return code == SQLITE_OK ? 1 : failed(r, code);
}

int retention_compact(struct retention *r)
{
    int code = sqlite3_exec(r->db, "PRAGMA auto_vacuum = INCREMENTAL; VACUUM",
                            NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return failed(r, code);
    /* the new file stands in the log; whoever reads it keeps it there */
    (void)sqlite3_wal_checkpoint_v2(r->db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                    NULL, NULL);
    return 0;
}

int retention_wipe_log(struct retention *r)
{
    int left = 0, all = 0;
    int code = sqlite3_wal_checkpoint_v2(
        r->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &left, &all);
    return code == SQLITE_OK ? 0 : failed(r, code);
}

/* ---- what goes next ------------------------------------------------------ */

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void next_pass(struct retention *r)
{
    r->pass = r->pass == PASS_SHRINK ? PASS_BEGUN : r->pass + 1;
    r->after_start = r->after = INT64_MIN;
}

/* The next trace that is to go, of a page of them; *at_end: there is none
 * behind it. */
static int pick(struct retention *r, sqlite3_stmt *s, bool *found, bool *at_end)
{
    int code = s ? SQLITE_ROW : sqlite3_errcode(r->db);
    *found = false;
    *at_end = true;
    while (s && !*found && (code = sqlite3_step(s)) == SQLITE_ROW) {
        *at_end = false;
        r->trace.trace = r->after = sqlite3_column_int64(s, 0);
        r->after_start = sqlite3_column_int64(s, 2);
        *found = sqlite3_column_int(s, 3) && sqlite3_column_bytes(s, 1) == 16;
        if (*found)
            memcpy(r->trace.id, sqlite3_column_blob(s, 1), 16);
    }
    sqlite3_finalize(s);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int pick_oldest(struct retention *r, int64_t before_ns,
                       const char *status, bool include_unsent,
                       enum purpose purpose, bool *found)
{
    bool at_end;
    sqlite3_stmt *s = statements_begin(
        r->db, sql_sqlite_retention, "oldest", "itiiii", before_ns, status,
        (int64_t)include_unsent, (int64_t)purpose, r->after_start, r->after);
    int code = pick(r, s, found, &at_end);
    if (code == SQLITE_OK && at_end)
        next_pass(r);
    return code;
}

static int pick_removal(struct retention *r,
                        const struct retention_rules *rules, int64_t before_ns,
                        const char *status, const char *reason,
                        int64_t now_unix_ns)
{
    bool found;
    int code = pick_oldest(r, before_ns, status, rules->include_unsent,
                           PURPOSE_REMOVE, &found);
    if (code != SQLITE_OK || !found)
        return code;
    code = remove_begin(r->db, &r->trace, reason, now_unix_ns);
    if (code == SQLITE_OK)
        r->doing = REMOVING;
    return code;
}

static int pick_thinning(struct retention *r,
                         const struct retention_rules *rules, int64_t before_ns,
                         bool is_running)
{
    bool found;
    int code =
        pick_oldest(r, before_ns, NULL, rules->include_unsent,
                    is_running ? PURPOSE_THIN_RUNNING : PURPOSE_THIN, &found);
    if (code != SQLITE_OK || !found)
        return code;
    r->thin = thin_begin(r->db, &r->trace, is_running);
    r->doing = r->thin ? THINNING : IDLE;
    return r->thin ? SQLITE_OK : SQLITE_NOMEM;
}

/* One that was begun before, perhaps by somebody who was killed. */
static int pick_begun(struct retention *r)
{
    bool found, at_end;
    int code =
        pick(r, statements_begin(r->db, sql_sqlite_retention, "begun", ""),
             &found, &at_end);
    if (code == SQLITE_OK && found)
        r->doing = REMOVING;
    else
        next_pass(r);
    return code;
}

static bool is_too_large(struct retention *r,
                         const struct retention_rules *rules)
{
    struct retention_size size;
    if (rules->keep_bytes < 0 || retention_size(r, &size) != 0)
        return false;
    int64_t allowed = rules->keep_bytes;
    if (r->is_shrinking)
        allowed -= allowed / SHRINK_PART;
    r->is_shrinking = size.used_bytes > allowed;
    return r->is_shrinking;
}

/* Is this pass for these rules, and now? */
static bool is_wanted(struct retention *r, const struct retention_rules *rules)
{
    switch (r->pass) {
    case PASS_AGE:
        return rules->keep_age_ns >= 0;
    case PASS_THIN_AGE:
        return rules->thin_age_ns >= 0;
    case PASS_SIZE_THIN:
    case PASS_SIZE_RUNNING:
    case PASS_SIZE_GOOD:
    case PASS_SIZE_ANY:
        return is_too_large(r, rules);
    default:
        return true;
    }
}

/* Pick the next, or go to the next pass. */
static int pick_next(struct retention *r, const struct retention_rules *rules,
                     int64_t now_ns_unix)
{
    bool more = true;
    int code;
    while (!is_wanted(r, rules))
        next_pass(r);
    switch (r->pass) {
    case PASS_BEGUN:
        return pick_begun(r);
    case PASS_AGE:
        return pick_removal(r, rules, now_ns_unix - rules->keep_age_ns, NULL,
                            "age", now_ns_unix);
    case PASS_THIN_AGE:
        return pick_thinning(r, rules, now_ns_unix - rules->thin_age_ns, false);
    case PASS_SIZE_THIN:
        return pick_thinning(r, rules, now_ns_unix, false);
    case PASS_SIZE_RUNNING:
        return pick_thinning(r, rules, now_ns_unix, true);
    case PASS_SIZE_GOOD:
    case PASS_SIZE_ANY:
        return pick_removal(r, rules, now_ns_unix,
                            r->pass == PASS_SIZE_GOOD ? "ok" : NULL, "size",
                            now_ns_unix);
    case PASS_SESSIONS:
        code = remove_empty_session(r->db, rules->include_unsent, &r->after,
                                    &more);
        if (code == SQLITE_OK && !more)
            next_pass(r);
        return code;
    default:
        return SQLITE_OK;
    }
}

/* As many at a time as go in a moment. */
static void chunk_adapt(struct retention *r, int64_t took_ns)
{
    if (took_ns > STEP_NS && r->chunk > CHUNK_LEAST)
        r->chunk /= 2;
    else if (took_ns < STEP_NS / 2 && r->chunk < CHUNK_MOST)
        r->chunk *= 2;
}

/* Small traces, many in a transaction: each commit writes the same pages. */
static int remove_some(struct retention *r, const struct retention_rules *rules,
                       int64_t now_unix_ns, struct retention_done *done)
{
    struct retention_done before = *done;
    enum pass pass = r->pass;
    bool more = false;
    int64_t begin = now_ns();
    int code = statements_run(r->db, sql_sqlite_retention, "begin", "");
    while (code == SQLITE_OK && r->doing == REMOVING) {
        code = remove_step(r->db, &r->trace, false, r->chunk, done, &more);
        if (code != SQLITE_OK || more)
            break;
        r->doing = IDLE;
        if (now_ns() - begin > STEP_NS / 2 || pass == PASS_BEGUN ||
            !is_wanted(r, rules))
            break;
        code = pick_next(r, rules, now_unix_ns);
        if (r->pass != pass)
            break;
    }
    code = remove_end(r->db, code);
    if (code != SQLITE_OK)
        *done = before;
    chunk_adapt(r, now_ns() - begin);
    return code;
}

static int go_on(struct retention *r, int64_t now_unix_ns,
                 struct retention_done *done)
{
    bool more = false;
    int code = thin_step(r->thin, now_unix_ns, r->chunk, done, &more);
    if (code == SQLITE_OK && more)
        return code;
    thin_end(r->thin);
    r->thin = NULL;
    r->doing = IDLE;
    return code;
}

int retention_step(struct retention *r, const struct retention_rules *rules,
                   int64_t now_unix_ns, struct retention_done *done)
{
    int code = r->doing == IDLE ? pick_next(r, rules, now_unix_ns) : SQLITE_OK;
    if (code == SQLITE_OK && r->doing != IDLE)
        code = r->doing == REMOVING ? remove_some(r, rules, now_unix_ns, done)
                                    : go_on(r, now_unix_ns, done);
    if (code != SQLITE_OK) {
        thin_end(r->thin);
        r->thin = NULL;
        r->doing = IDLE;
        return failed(r, code);
    }
    if (r->doing != IDLE || r->pass != PASS_SHRINK)
        return 1;
    int rc = give_back(r);
    if (rc == 0)
        next_pass(r);
    return rc;
}

/* ---- for people ---------------------------------------------------------- */

static int count_aged(struct retention *r, int64_t before_ns,
                      bool include_unsent, bool to_thin, int64_t n[2])
{
    int found;
    return statements_get(r->db, sql_sqlite_retention, "count_aged", n, 2,
                          &found, "iii", before_ns, (int64_t)include_unsent,
                          (int64_t)to_thin);
}

int retention_look(struct retention *r, const struct retention_rules *rules,
                   int64_t now_unix_ns, struct retention_done *out,
                   int64_t *held)
{
    int64_t n[2] = {0};
    int found, code = SQLITE_OK;
    *out = (struct retention_done){0};
    *held = 0;
    if (rules->keep_age_ns >= 0) {
        int64_t before = now_unix_ns - rules->keep_age_ns;
        code = count_aged(r, before, rules->include_unsent, false, n);
        out->traces = n[0];
        out->spans = n[1];
        if (code == SQLITE_OK)
            code = statements_get(r->db, sql_sqlite_retention, "held_count",
                                  held, 1, &found, "ii", before,
                                  (int64_t)rules->include_unsent);
    }
    if (code == SQLITE_OK && rules->thin_age_ns >= 0) {
        code = count_aged(r, now_unix_ns - rules->thin_age_ns,
                          rules->include_unsent, true, n);
        out->thinned_traces = n[0];
        out->thinned_spans = n[1];
    }
    return code == SQLITE_OK ? 0 : failed(r, code);
}

int retention_delete(struct retention *r, const uint8_t trace_id[16],
                     int64_t now_unix_ns, struct retention_done *done)
{
    bool more = true;
    int64_t after = INT64_MIN;
    sqlite3_stmt *s = statements_begin(r->db, sql_sqlite_retention,
                                       "trace_find", "b", trace_id, (size_t)16);
    int code = s ? sqlite3_step(s) : SQLITE_ERROR;
    if (code != SQLITE_ROW) {
        sqlite3_finalize(s);
        return code == SQLITE_DONE ? -ENOENT : failed(r, code);
    }
    const char *status = (const char *)sqlite3_column_text(s, 1);
    bool is_open = status && strcmp(status, "open") == 0;
    struct remove_trace t = {.trace = sqlite3_column_int64(s, 0)};
    memcpy(t.id, trace_id, sizeof t.id);
    sqlite3_finalize(s);
    if (is_open)
        return -EBUSY;
    code = sqlite3_exec(r->db, "PRAGMA secure_delete = ON", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = remove_begin(r->db, &t, "deleted", now_unix_ns);
    while (code == SQLITE_OK && more)
        code = remove_step(r->db, &t, true, CHUNK_MOST, done, &more);
    for (more = true; code == SQLITE_OK && more;)
        code = remove_empty_session(r->db, true, &after, &more);
    return code == SQLITE_OK ? 0 : failed(r, code);
}

int retention_sinks(struct retention *r,
                    void (*each)(void *context, const char *name),
                    void *context)
{
    sqlite3_stmt *s =
        statements_begin(r->db, sql_sqlite_retention, "sinks", "");
    int code = s ? SQLITE_OK : SQLITE_ERROR;
    while (code == SQLITE_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
        each(context, (const char *)sqlite3_column_text(s, 0));
        code = SQLITE_OK;
    }
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? 0 : failed(r, code);
}
