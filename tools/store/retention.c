/* SPDX-License-Identifier: Apache-2.0 */
/* See retention.h. remove.c does the single removals. */
#include "tools/store/retention.h"
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sql/sql.h"
#include "tools/common/config.h"
#include "tools/store/migrate.h"
#include "tools/store/remove.h"
#include "tools/store/statements.h"

enum {
    BUSY_MS = 5000,
    VACUUM_PAGES = 256, /* given back in a step */
    SHRINK_PART = 10,   /* once too large, a tenth less than allowed */
};
enum doing {
    IDLE,
    REMOVING,
    THINNING,
};

struct retention {
    sqlite3 *db;
    enum doing doing;
    struct remove_trace trace;
    bool with_refused, is_shrinking;
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

int retention_settings(struct retention_rules *out, char *why, size_t why_bytes)
{
    struct retention_rules rules = {-1, -1, -1, false};
    const char *age = config_get(CONFIG_KEEP_AGE);
    const char *thin = config_get(CONFIG_THIN_AGE);
    const char *size = config_get(CONFIG_KEEP_SIZE);
    *out = rules;
    const char *bad =
        age && config_parse_age(age, &rules.keep_age_ns) < 0     ? age
        : thin && config_parse_age(thin, &rules.thin_age_ns) < 0 ? thin
        : size && config_parse_size(size, &rules.keep_bytes) < 0 ? size
                                                                 : NULL;
    if (bad) {
        snprintf(why, why_bytes,
                 "retention is off: '%s' means nothing as keep_age, thin_age "
                 "or keep_size",
                 bad);
        return -EINVAL;
    }
    *out = rules;
    return 0;
}

int retention_open(const char *path, struct retention **out, char *why,
                   size_t why_bytes)
{
    static const char *const set_up[] = {"temp_keep", "temp_chunk",
                                         "temp_held"};
    int version = 0, rc = 0;
    struct retention *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    int code = sqlite3_open_v2(path, &r->db, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(r->db, BUSY_MS);
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
    *out = r;
    return 0;
}

void retention_close(struct retention *r)
{
    if (!r)
        return;
    sqlite3_close(r->db);
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
    return code == SQLITE_OK ? 0 : failed(r, code);
}

int retention_wipe_log(struct retention *r)
{
    int left = 0, all = 0;
    int code = sqlite3_wal_checkpoint_v2(
        r->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &left, &all);
    return code == SQLITE_OK ? 0 : failed(r, code);
}

/* ---- what goes next ------------------------------------------------------ */

/* Traces that some sink does not have, into a table of this connection. */
static int look_at_sinks(struct retention *r, bool include_unsent)
{
    int code = statements_run(r->db, sql_sqlite_retention, "held_clear", "");
    if (code == SQLITE_OK)
        code = statements_run(r->db, sql_sqlite_retention, "held_fill", "i",
                              (int64_t)include_unsent);
    return code;
}

static int pick(struct retention *r, sqlite3_stmt *s, bool *found)
{
    *found = false;
    if (!s)
        return sqlite3_errcode(r->db) ? sqlite3_errcode(r->db) : SQLITE_ERROR;
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW && sqlite3_column_bytes(s, 1) == 16) {
        r->trace.trace = sqlite3_column_int64(s, 0);
        memcpy(r->trace.id, sqlite3_column_blob(s, 1), 16);
        *found = true;
    }
    sqlite3_finalize(s);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int pick_removal(struct retention *r, int64_t before_ns,
                        const char *status, const char *reason, int64_t now_ns)
{
    bool found = false;
    int code = pick(r,
                    statements_begin(r->db, sql_sqlite_retention, "oldest",
                                     "it", before_ns, status),
                    &found);
    if (code != SQLITE_OK || !found)
        return code;
    code = remove_begin(r->db, &r->trace, reason, now_ns);
    if (code == SQLITE_OK) {
        r->doing = REMOVING;
        r->with_refused = false;
    }
    return code;
}

static int pick_thinning(struct retention *r, int64_t before_ns)
{
    bool found = false;
    int code = pick(r,
                    statements_begin(r->db, sql_sqlite_retention,
                                     "oldest_whole", "i", before_ns),
                    &found);
    if (code != SQLITE_OK || !found)
        return code;
    code = thin_begin(r->db, &r->trace);
    if (code == SQLITE_OK)
        r->doing = THINNING;
    return code;
}

/* One that was begun before, perhaps by somebody who was killed. */
static int pick_begun(struct retention *r)
{
    bool found = false;
    sqlite3_stmt *s =
        statements_begin(r->db, sql_sqlite_retention, "begun", "");
    int code = pick(r, s, &found);
    if (code == SQLITE_OK && found) {
        r->doing = REMOVING;
        r->with_refused = false;
    }
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

static int pick_next(struct retention *r, const struct retention_rules *rules,
                     int64_t now_ns)
{
    int code = pick_begun(r);
    if (code == SQLITE_OK && !r->doing)
        code = look_at_sinks(r, rules->include_unsent);
    if (code == SQLITE_OK && !r->doing && rules->keep_age_ns >= 0)
        code =
            pick_removal(r, now_ns - rules->keep_age_ns, NULL, "age", now_ns);
    if (code == SQLITE_OK && !r->doing && rules->thin_age_ns >= 0)
        code = pick_thinning(r, now_ns - rules->thin_age_ns);
    if (code != SQLITE_OK || r->doing || !is_too_large(r, rules))
        return code;
    code = pick_thinning(r, now_ns);
    if (code == SQLITE_OK && !r->doing)
        code = pick_removal(r, now_ns, "ok", "size", now_ns);
    if (code == SQLITE_OK && !r->doing)
        code = pick_removal(r, now_ns, NULL, "size", now_ns);
    return code;
}

int retention_step(struct retention *r, const struct retention_rules *rules,
                   int64_t now_unix_ns, struct retention_done *done)
{
    bool more = false, found = false;
    int code = SQLITE_OK;
    if (r->doing == IDLE)
        code = pick_next(r, rules, now_unix_ns);
    if (code == SQLITE_OK && r->doing == REMOVING)
        code = remove_step(r->db, &r->trace, r->with_refused, done, &more);
    else if (code == SQLITE_OK && r->doing == THINNING)
        code = thin_step(r->db, &r->trace, now_unix_ns, done, &more);
    else if (code == SQLITE_OK)
        code = remove_empty_session(r->db, rules->include_unsent, &found);
    if (code != SQLITE_OK) {
        r->doing = IDLE;
        return failed(r, code);
    }
    bool did = r->doing != IDLE || found;
    if (!more)
        r->doing = IDLE;
    return did ? 1 : give_back(r);
}

/* ---- for people ---------------------------------------------------------- */

int retention_look(struct retention *r, const struct retention_rules *rules,
                   int64_t now_unix_ns, struct retention_done *out,
                   int64_t *held)
{
    int64_t n[2] = {0};
    int found, code = look_at_sinks(r, rules->include_unsent);
    *out = (struct retention_done){0};
    *held = 0;
    if (code == SQLITE_OK && rules->keep_age_ns >= 0) {
        code = statements_get(r->db, sql_sqlite_retention, "count_aged", n, 2,
                              &found, "i", now_unix_ns - rules->keep_age_ns);
        out->traces = n[0];
        out->spans = n[1];
        if (code == SQLITE_OK)
            code = statements_get(r->db, sql_sqlite_retention, "held_count",
                                  held, 1, &found, "i",
                                  now_unix_ns - rules->keep_age_ns);
    }
    if (code == SQLITE_OK && rules->thin_age_ns >= 0) {
        code = statements_get(r->db, sql_sqlite_retention, "count_whole", n, 2,
                              &found, "i", now_unix_ns - rules->thin_age_ns);
        out->thinned_traces = n[0];
        out->thinned_spans = n[1];
    }
    return code == SQLITE_OK ? 0 : failed(r, code);
}

int retention_delete(struct retention *r, const uint8_t trace_id[16],
                     int64_t now_unix_ns, struct retention_done *done)
{
    bool more = true, found = true;
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
        code = remove_step(r->db, &t, true, done, &more);
    while (code == SQLITE_OK && found)
        code = remove_empty_session(r->db, true, &found);
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
