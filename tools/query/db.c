/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite for the views: see db.h. This file owns the library in tools/query. */
#include "tools/query/db.h"
#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "tools/store/migrate.h"

enum {
    BUSY_MS = 5000
};

/* Of a store that is read as if nobody wrote it: what shows that somebody
 * does. */
struct rest {
    char path[4200], wal[4200];
    struct timespec modified;
    off_t size_bytes;
};
struct query_db {
    sqlite3 *handle;
    struct rest *rest; /* NULL: read under SQLite's own locks */
    char error[256];
};

const char *query_error(const struct query_db *db)
{
    return db->error;
}

static int failed(struct query_db *db, int code)
{
    snprintf(db->error, sizeof db->error, "%s", sqlite3_errmsg(db->handle));
    return code == SQLITE_BUSY || code == SQLITE_LOCKED ? -EBUSY : -EIO;
}

void query_close(struct query_db *db)
{
    if (!db)
        return;
    sqlite3_close(db->handle);
    free(db->rest);
    free(db);
}

static bool is_at_rest(const struct rest *r)
{
    struct stat at;
    return access(r->wal, F_OK) < 0 && stat(r->path, &at) == 0 &&
           at.st_size == r->size_bytes &&
           at.st_mtim.tv_sec == r->modified.tv_sec &&
           at.st_mtim.tv_nsec == r->modified.tv_nsec;
}

/* Take down how it lies there. Times of files go by ticks: what was written
 * this very moment could be written again without a trace. */
static struct rest *rest_begin(const char *path)
{
    struct rest *r = calloc(1, sizeof *r);
    struct stat at;
    struct timespec now;
    if (!r)
        return NULL;
    snprintf(r->path, sizeof r->path, "%s", path);
    snprintf(r->wal, sizeof r->wal, "%s-wal", path);
    for (int i = 0; i < 50 && stat(path, &at) == 0; i++) {
        clock_gettime(CLOCK_REALTIME, &now);
        if (now.tv_sec - at.st_mtim.tv_sec > 1)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    if (stat(path, &at) < 0) {
        free(r);
        return NULL;
    }
    r->modified = at.st_mtim;
    r->size_bytes = at.st_size;
    return r;
}

/* Reading a WAL file needs its -shm; in a directory that we cannot write to
 * and without one, only a store at rest can be read: without locks, so each
 * step looks whether it still is. */
static int open_handle(const char *path, sqlite3 **handle, struct rest **rest)
{
    char uri[4200];
    int code = sqlite3_open_v2(
        path, handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(*handle, BUSY_MS);
        code = sqlite3_exec(*handle, "PRAGMA schema_version", NULL, NULL, NULL);
    }
    if ((code != SQLITE_CANTOPEN && code != SQLITE_READONLY) ||
        strpbrk(path, "?#%"))
        return code;
    *rest = rest_begin(path);
    if (!*rest || !is_at_rest(*rest))
        return code;
    sqlite3_close(*handle);
    snprintf(uri, sizeof uri, "file:%s?immutable=1", path);
    code = sqlite3_open_v2(
        uri, handle,
        SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
    return code ? code
                : sqlite3_exec(*handle, "PRAGMA schema_version", NULL, NULL,
                               NULL);
}

/* A store of an earlier version in a place where we cannot write: migrate a
 * copy, which SQLite keeps in a temporary file of its own. */
static int migrate_copy(struct query_db *db, const char *path, char *why,
                        size_t why_bytes)
{
    sqlite3 *copy = NULL;
    int code = sqlite3_open_v2(
        "", &copy,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    sqlite3_backup *backup =
        code ? NULL : sqlite3_backup_init(copy, "main", db->handle, "main");
    if (backup) {
        (void)sqlite3_backup_step(backup, -1);
        code = sqlite3_backup_finish(backup);
    }
    if (code || !backup || (db->rest && !is_at_rest(db->rest))) {
        snprintf(why, why_bytes, "cannot copy the store '%s': %s", path,
                 sqlite3_errmsg(copy));
        sqlite3_close(copy);
        return -EIO;
    }
    sqlite3_close(db->handle);
    db->handle = copy;
    free(db->rest);
    db->rest = NULL;
    return migrate_store(copy, path, why, why_bytes);
}

/* Of an earlier version, and no sidecar came by yet: do what it would. */
static int bring_up(struct query_db *db, const char *path, char *why,
                    size_t why_bytes)
{
    sqlite3 *writer = NULL;
    int rc = -EROFS;
    if (sqlite3_open_v2(path, &writer, SQLITE_OPEN_READWRITE, NULL) ==
        SQLITE_OK) {
        sqlite3_busy_timeout(writer, BUSY_MS);
        rc = migrate_store(writer, path, why, why_bytes);
    }
    sqlite3_close(writer);
    if (rc == -EROFS || rc == -EACCES || rc == -ENOSPC)
        return migrate_copy(db, path, why, why_bytes);
    return rc;
}

static int check_version(struct query_db *db, const char *path, char *why,
                         size_t why_bytes)
{
    sqlite3_stmt *stmt = query_prepare(db, "PRAGMA user_version");
    int64_t version = 0;
    int step = stmt ? query_step(db, stmt) : -EIO;
    if (step > 0)
        version = query_int(stmt, 0, 0);
    query_finish(stmt);
    if (step < 0) {
        snprintf(why, why_bytes, "cannot read '%s': %s", path, db->error);
        return step;
    }
    if (version == 0) {
        snprintf(why, why_bytes,
                 "'%s' is a database, but no store of handspan (yet)", path);
        return -EINVAL;
    }
    if (version > QUERY_SCHEMA || version < 0) {
        snprintf(why, why_bytes,
                 "the store '%s' has schema %lld, this handspan reads up to "
                 "%d: use the handspan that wrote it, or another --store",
                 path, (long long)version, QUERY_SCHEMA);
        return -ENOTSUP;
    }
    return version < QUERY_SCHEMA ? bring_up(db, path, why, why_bytes) : 0;
}

static int explain(const char *path, sqlite3 *handle, char *why,
                   size_t why_bytes)
{
    int code = sqlite3_extended_errcode(handle);
    struct stat st;
    if (stat(path, &st) < 0) {
        int err = errno;
        if (err == ENOENT || err == ENOTDIR)
            snprintf(why, why_bytes,
                     "there is no store '%s' yet: nothing was traced, or "
                     "HANDSPAN_STORE or --store differs",
                     path);
        else
            snprintf(why, why_bytes, "cannot look at the store '%s': %s", path,
                     strerror(err));
        return err == ENOTDIR ? -ENOENT : -err;
    }
    if (S_ISDIR(st.st_mode)) {
        snprintf(why, why_bytes, "the store '%s' is a directory; name a file",
                 path);
        return -EISDIR;
    }
    if (access(path, R_OK) < 0) {
        snprintf(why, why_bytes, "cannot read the store '%s': %s", path,
                 strerror(errno));
        return -EACCES;
    }
    /* a WAL's index is memory that processes share through a file */
    if (code == SQLITE_IOERR_SHMMAP)
        snprintf(
            why, why_bytes,
            "cannot open the store '%s': it is kept with WAL, and its file "
            "system has no shared mappings (mmap); 'handspan sidecar "
            "--once' changes that, or copy it to a local disk",
            path);
    else
        snprintf(why, why_bytes, "cannot open the store '%s': %s", path,
                 sqlite3_errmsg(handle));
    return -EIO;
}

/* SQLite would wait for a pipe's other end, for ever. */
static bool is_no_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

int query_open(const char *path, struct query_db **out, char *why,
               size_t why_bytes)
{
    if (is_no_file(path)) {
        snprintf(why, why_bytes,
                 "the store '%s' is no regular file; name a file", path);
        return -EINVAL;
    }
    struct query_db *db = calloc(1, sizeof *db);
    if (!db) {
        snprintf(why, why_bytes, "out of memory");
        return -ENOMEM;
    }
    int code = open_handle(path, &db->handle, &db->rest);
    int err = 0;
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT) {
        snprintf(why, why_bytes, "'%s' is %s; move it away to begin anew", path,
                 code == SQLITE_NOTADB ? "no SQLite database" : "damaged");
        err = -EINVAL;
    } else if (code) {
        err = explain(path, db->handle, why, why_bytes);
    } else {
        err = check_version(db, path, why, why_bytes);
    }
    if (err) {
        query_close(db);
        return err;
    }
    *out = db;
    return 0;
}

sqlite3 *query_handle(struct query_db *db)
{
    return db->handle;
}

sqlite3_stmt *query_prepare(struct query_db *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);
    if (code) {
        failed(db, code);
        sqlite3_finalize(stmt);
        return NULL;
    }
    return stmt;
}

/* A parameter that a statement does not have is left out. */
void query_bind_int(sqlite3_stmt *stmt, const char *name, int64_t n)
{
    int at = sqlite3_bind_parameter_index(stmt, name);
    if (at)
        sqlite3_bind_int64(stmt, at, n);
}

void query_bind_text(sqlite3_stmt *stmt, const char *name, const char *text)
{
    int at = sqlite3_bind_parameter_index(stmt, name);
    if (at && text)
        sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

void query_bind_blob(sqlite3_stmt *stmt, const char *name, const void *bytes,
                     int len_bytes)
{
    int at = sqlite3_bind_parameter_index(stmt, name);
    if (at)
        sqlite3_bind_blob(stmt, at, bytes, len_bytes, SQLITE_TRANSIENT);
}

int query_step(struct query_db *db, sqlite3_stmt *stmt)
{
    int code = sqlite3_step(stmt);
    if (db->rest && !is_at_rest(db->rest)) {
        snprintf(db->error, sizeof db->error,
                 "it was written while it was read; try again");
        return -EBUSY;
    }
    if (code == SQLITE_ROW)
        return 1;
    return code == SQLITE_DONE ? 0 : failed(db, code);
}

bool query_glob(const char *glob, const char *text)
{
    return text &&
           (strcmp(glob, text) == 0 || sqlite3_strglob(glob, text) == 0);
}

void query_finish(sqlite3_stmt *stmt)
{
    sqlite3_finalize(stmt);
}

int64_t query_int(sqlite3_stmt *stmt, int column, int64_t otherwise)
{
    return sqlite3_column_type(stmt, column) == SQLITE_NULL
               ? otherwise
               : sqlite3_column_int64(stmt, column);
}

const char *query_text(sqlite3_stmt *stmt, int column)
{
    return (const char *)sqlite3_column_text(stmt, column);
}

char *query_text_copy(sqlite3_stmt *stmt, int column)
{
    const char *text = query_text(stmt, column);
    return text ? strdup(text) : NULL;
}

uint64_t query_blob64(sqlite3_stmt *stmt, int column)
{
    const unsigned char *bytes = sqlite3_column_blob(stmt, column);
    if (!bytes || sqlite3_column_bytes(stmt, column) != 8)
        return 0;
    uint64_t n = 0;
    for (int i = 0; i < 8; i++)
        n = n << 8 | bytes[i];
    return n;
}
