/* SPDX-License-Identifier: Apache-2.0 */
/* See naming.h. Rows are read and written a chunk at a time; a group's errors
 * take their count along when their fingerprint becomes another one. */
#include "tools/store/naming.h"
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sql/sql.h"
#include "tools/store/migrate.h"
#include "tools/store/naming_places.h"
#include "tools/store/naming_rewrite.h"
#include "tools/store/statements.h"
#include "tools/store/texts.h"

enum {
    BUSY_MS = 5000,
    CHUNK = 200, /* rows of a transaction */
};

struct row {
    int64_t session, id, start; /* id: ref or hash */
    char *text, *handler;
};
struct group {
    char id[FINGERPRINT_BYTES];
};
struct naming {
    sqlite3 *db;
    struct texts *texts;
    struct group *group;
    int64_t *session;
    size_t groups, sessions;
    struct naming_places places;
    char why[512];
};

const char *naming_why(const struct naming *n)
{
    return n->why;
}

static int failed(struct naming *n, int code)
{
    if (n->places.is_out_of_memory)
        return -ENOMEM;
    if (!n->why[0])
        snprintf(n->why, sizeof n->why, "%s", sqlite3_errmsg(n->db));
    int rc = migrate_errno(code);
    return rc ? rc : -EIO;
}

int naming_open(const char *path, struct naming **out, char *why,
                size_t why_bytes)
{
    int version = 0, rc = 0;
    struct naming *n = calloc(1, sizeof *n);
    if (!n)
        return -ENOMEM;
    int code = sqlite3_open_v2(path, &n->db, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(n->db, BUSY_MS);
        code = migrate_version(n->db, &version);
    }
    if (code == SQLITE_OK && version != sql_sqlite_version) {
        snprintf(n->why, sizeof n->why, "its version is %d, not %d", version,
                 sql_sqlite_version);
        rc = -EPROTONOSUPPORT;
    }
    if (code == SQLITE_OK && rc == 0 && !(n->texts = texts_open(n->db)))
        code = sqlite3_errcode(n->db);
    if (code != SQLITE_OK)
        rc = failed(n, code);
    if (rc != 0) {
        snprintf(why, why_bytes, "store '%s': %s", path, n->why);
        naming_close(n);
        return rc;
    }
    *out = n;
    return 0;
}

void naming_close(struct naming *n)
{
    if (!n)
        return;
    naming_places_free(&n->places);
    free(n->group);
    free(n->session);
    texts_close(n->texts);
    statements_close(n->db);
    free(n);
}

struct naming_object *naming_objects(struct naming *n, size_t *count)
{
    *count = n->places.objects;
    return n->places.object;
}

/* ---- rows ---------------------------------------------------------------- */

static void free_rows(struct row *row, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(row[i].text);
        free(row[i].handler);
    }
}

static char *copy(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    return text ? strdup(text) : NULL;
}

/* The next ones of a group, or with NULL of a session's stacks. Number or an
 * SQLite code, negative. */
static int next_rows(struct naming *n, const char *group,
                     const struct row *from, struct row row[CHUNK])
{
    sqlite3_stmt *s =
        group ? statements_begin(n->db, sql_sqlite_naming, "errors", "tiiii",
                                 group, from->start, from->session, from->id,
                                 (int64_t)CHUNK)
              : statements_begin(n->db, sql_sqlite_naming, "stacks", "iii",
                                 from->session, from->id, (int64_t)CHUNK);
    int count = 0, code = SQLITE_ERROR;
    while (s && count < CHUNK && (code = sqlite3_step(s)) == SQLITE_ROW)
        row[count++] =
            (struct row){sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
                         sqlite3_column_int64(s, 2), copy(s, 3), copy(s, 4)};
    sqlite3_finalize(s);
    if (code == SQLITE_DONE || code == SQLITE_ROW)
        return count;
    free_rows(row, (size_t)count);
    return -code;
}

static int run(struct naming *n, const char *name)
{
    return statements_run(n->db, sql_sqlite_naming, name, "");
}

/* Ends the transaction either way. */
static int end(struct naming *n, int code)
{
    if (code == SQLITE_OK)
        code = run(n, "commit");
    if (code != SQLITE_OK) /* the rollback has another message */
        snprintf(n->why, sizeof n->why, "%s", sqlite3_errmsg(n->db));
    if (code != SQLITE_OK && !sqlite3_get_autocommit(n->db)) {
        int ignored = run(n, "rollback");
        (void)ignored;
    }
    return code;
}

/* ---- collecting ---------------------------------------------------------- */

static int collect_from(struct naming *n, const char *group, int64_t session)
{
    struct row row[CHUNK];
    struct row from = {.session = group ? -1 : session, .id = INT64_MIN};
    int count;
    from.start = INT64_MIN;
    while ((count = next_rows(n, group, &from, row)) > 0) {
        for (int i = 0; i < count; i++) {
            if (group && row[i].text)
                naming_each_of_error(row[i].text, naming_places_find_or_add,
                                     &n->places);
            else if (row[i].text)
                naming_each_of_array(row[i].text, naming_places_find_or_add,
                                     &n->places);
        }
        from = row[count - 1];
        free_rows(row, (size_t)count);
    }
    return -count;
}

static int add_group(struct naming *n, sqlite3_stmt *s)
{
    void *grown = reallocarray(n->group, n->groups + 1, sizeof *n->group);
    if (!grown)
        return SQLITE_NOMEM;
    n->group = grown;
    snprintf(n->group[n->groups++].id, FINGERPRINT_BYTES, "%s",
             (const char *)sqlite3_column_text(s, 0));
    return SQLITE_OK;
}

static int add_session(struct naming *n, sqlite3_stmt *s)
{
    int64_t session = sqlite3_column_int64(s, 0);
    for (size_t i = 0; i < n->sessions; i++)
        if (n->session[i] == session)
            return SQLITE_OK;
    void *grown = reallocarray(n->session, n->sessions + 1, sizeof session);
    if (!grown)
        return SQLITE_NOMEM;
    n->session = grown;
    n->session[n->sessions++] = session;
    return SQLITE_OK;
}

static int each_row(struct naming *n, sqlite3_stmt *s,
                    int (*add)(struct naming *n, sqlite3_stmt *s))
{
    int code = SQLITE_ERROR;
    while (s && (code = sqlite3_step(s)) == SQLITE_ROW &&
           (code = add(n, s)) == SQLITE_OK)
        ;
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int choose(struct naming *n, const uint8_t *trace_id)
{
    int code = each_row(n,
                        statements_begin(n->db, sql_sqlite_naming, "groups",
                                         "b", (const void *)trace_id,
                                         trace_id ? (size_t)16 : (size_t)0),
                        add_group);
    if (code == SQLITE_OK && !trace_id)
        return each_row(
            n, statements_begin(n->db, sql_sqlite_naming, "all_sessions", ""),
            add_session);
    for (size_t i = 0; code == SQLITE_OK && i < n->groups; i++)
        code = each_row(n,
                        statements_begin(n->db, sql_sqlite_naming, "sessions",
                                         "t", n->group[i].id),
                        add_session);
    return code;
}

int naming_collect(struct naming *n, const uint8_t *trace_id)
{
    int code = choose(n, trace_id);
    for (size_t i = 0; code == SQLITE_OK && i < n->groups; i++)
        code = collect_from(n, n->group[i].id, 0);
    for (size_t i = 0; code == SQLITE_OK && i < n->sessions; i++)
        code = collect_from(n, NULL, n->session[i]);
    return code != SQLITE_OK || n->places.is_out_of_memory ? failed(n, code)
                                                           : 0;
}

/* ---- writing ------------------------------------------------------------- */

/* Where the errors of a group went. */
struct moved {
    char to[FINGERPRINT_BYTES]; /* "": none yet */
    bool is_several;
    int64_t count;
};

static int move_error(struct naming *n, const char *from, const char *to,
                      const struct row *row, struct moved *moved)
{
    if (strcmp(from, to) == 0)
        return SQLITE_OK;
    moved->is_several |= moved->to[0] && strcmp(moved->to, to) != 0;
    snprintf(moved->to, sizeof moved->to, "%s", to);
    moved->count++;
    int code = statements_run(n->db, sql_sqlite_naming, "group_join", "ttiii",
                              from, to, row->start, row->session, row->id);
    return code == SQLITE_OK ? statements_run(n->db, sql_sqlite_naming,
                                              "group_leave", "t", from)
                             : code;
}

/* In the place of what it was, apart from the row if it is long. */
static int error_set(struct naming *n, const struct row *row, const char *text,
                     const char *fingerprint)
{
    int64_t before = 0, apart = 0;
    int was_apart = 0;
    int code = statements_get(n->db, sql_sqlite_naming, "error_text", &before,
                              1, &was_apart, "ii", row->session, row->id);
    if (code == SQLITE_OK && strlen(text) > TEXTS_ROW_BYTES)
        code = texts_put(n->texts, row->session, text, &apart);
    if (code == SQLITE_OK)
        code = statements_run(n->db, sql_sqlite_naming, "error_set", "iitit",
                              row->session, row->id, apart ? NULL : text, apart,
                              fingerprint);
    if (code == SQLITE_OK && was_apart)
        code = statements_run(n->db, sql_sqlite_naming, "error_leave", "i",
                              before);
    return code == SQLITE_OK && was_apart
               ? statements_run(n->db, sql_sqlite_naming, "text_unused", "")
               : code;
}

static int write_error(struct naming *n, const char *group,
                       const struct row *row, struct moved *moved,
                       struct naming_done *done)
{
    char fingerprint[FINGERPRINT_BYTES];
    char *text = row->text
                     ? naming_error(row->text, row->handler, naming_places_find,
                                    &n->places, &done->frames, fingerprint)
                     : NULL;
    if (!text)
        return SQLITE_OK;
    int code = error_set(n, row, text, fingerprint);
    free(text);
    done->errors++;
    return code == SQLITE_OK ? move_error(n, group, fingerprint, row, moved)
                             : code;
}

static int write_stack(struct naming *n, const struct row *row)
{
    int64_t ignored = 0;
    char *text = row->text ? naming_array(row->text, naming_places_find,
                                          &n->places, &ignored)
                           : NULL;
    if (!text)
        return SQLITE_OK;
    int code = statements_run(n->db, sql_sqlite_naming, "stack_set", "iit",
                              row->session, row->id, text);
    free(text);
    return code;
}

/* A chunk in a transaction of its own. Number of rows, or a code negative. */
static int write_chunk(struct naming *n, const char *group, struct row *from,
                       struct moved *moved, struct naming_done *done)
{
    struct row row[CHUNK];
    struct naming_done so_far = *done;
    int code = run(n, "begin");
    int count = code == SQLITE_OK ? next_rows(n, group, from, row) : -code;
    code = count < 0 ? -count : SQLITE_OK;
    for (int i = 0; code == SQLITE_OK && i < count; i++)
        code = group ? write_error(n, group, &row[i], moved, &so_far)
                     : write_stack(n, &row[i]);
    if (count > 0) {
        *from = row[count - 1];
        free_rows(row, (size_t)count);
    }
    code = end(n, code);
    if (code != SQLITE_OK)
        return -code;
    *done = so_far;
    return count;
}

static int write_all(struct naming *n, const char *group, int64_t session,
                     struct moved *moved, struct naming_done *done)
{
    struct row from = {.session = session, .id = INT64_MIN, .start = INT64_MIN};
    int count;
    while ((count = write_chunk(n, group, &from, moved, done)) > 0)
        ;
    return -count;
}

/* What is left of a group whose errors went elsewhere. */
static int settle(struct naming *n, const char *group,
                  const struct moved *moved)
{
    const char *to = moved->is_several ? NULL : moved->to;
    int code = run(n, "begin");
    if (code == SQLITE_OK && to)
        code = statements_run(n->db, sql_sqlite_naming, "group_rest", "tt",
                              group, to);
    if (code == SQLITE_OK)
        code = statements_run(n->db, sql_sqlite_naming, "group_drop", "tt",
                              group, to);
    if (code == SQLITE_OK)
        code = statements_run(n->db, sql_sqlite_naming, "group_example", "t",
                              group);
    if (code == SQLITE_OK)
        code =
            statements_run(n->db, sql_sqlite_naming, "group_times", "t", group);
    return end(n, code);
}

static int write_group(struct naming *n, const char *group,
                       struct naming_done *done)
{
    struct moved moved = {0};
    int code = write_all(n, group, 0, &moved, done);
    if (code != SQLITE_OK || moved.count == 0)
        return code;
    done->groups++;
    return settle(n, group, &moved);
}

int naming_apply(struct naming *n, struct naming_done *done)
{
    int code = SQLITE_OK;
    *done = (struct naming_done){0};
    /* stacks first: errors that come meanwhile have their names */
    for (size_t i = 0; code == SQLITE_OK && i < n->sessions; i++)
        code = write_all(n, NULL, n->session[i], NULL, done);
    for (size_t i = 0; code == SQLITE_OK && i < n->groups; i++)
        code = write_group(n, n->group[i].id, done);
    int found = 0;
    if (code == SQLITE_OK && done->errors > 0)
        code = statements_get(n->db, sql_sqlite_naming, "sinks_sent",
                              &done->sinks, 1, &found, "");
    return code == SQLITE_OK ? 0 : failed(n, code);
}
