/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store, writing side: see store.h. WAL and synchronous=NORMAL: a crash of
 * the machine may lose the last transactions whole, rows and cursors alike; a
 * crash of ours loses nothing. Without shared mappings: a rollback journal.
 */
#define _GNU_SOURCE
#include "tools/sidecar/store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sql/sql.h"
#include "tools/common/paths.h"
#include "tools/sidecar/store/log.h"
#include "tools/sidecar/store/statement_sql.h"
#include "tools/store/migrate.h"
#include "tools/store/texts.h"
#include "tools/store/wal.h"
#include "lane/format/assert.h"

enum {
    BUSY_MS = 5000,
    BUSY_AGAIN_MS = 100,
    WHY_BYTES = 1024,
};
struct store {
    sqlite3 *db;
    sqlite3_stmt *statement[STORE_STATEMENTS];
    char path[PATHS_MAX];
    char why[WHY_BYTES + PATHS_MAX];
    bool in_transaction, has_wal, is_busy;
    int64_t changes_before; /* the transaction */
    struct wal wal;
    ino_t log_inode; /* of the file beside it, while that was ours; 0: none */
    struct texts *texts;
};

static int failed(struct store *store, int code)
{
    snprintf(store->why, sizeof store->why, "store '%s': %s", store->path,
             store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(code));
    int rc = migrate_errno(code);
    return rc ? rc : -EIO;
}

const char *store_why(struct store *store)
{
    return store->why;
}

void store_forget(struct store *store)
{
    store->why[0] = 0;
}

static int prepare(struct store *store, enum store_statement which)
{
    lane_assert(which < STORE_STATEMENTS && store->db != NULL);
    const char *name, *sql = statement_sql(which, &name);
    if (!sql) {
        snprintf(store->why, sizeof store->why, "no statement '%s'", name);
        return -EINVAL;
    }
    int code = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                  &store->statement[which], NULL);
    return code == SQLITE_OK ? 0 : failed(store, code);
}

/* WAL wants memory that processes share through a file: not every file system
 * has that. (A file of its own: to close the store's would drop its locks.) */
static bool has_shared_mappings(const char *store)
{
    char path[4200];
    snprintf(path, sizeof path, "%s-probe", store);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return true; /* SQLite says why */
    void *at = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    bool has = at != MAP_FAILED || errno != ENODEV;
    if (at != MAP_FAILED)
        munmap(at, 1);
    close(fd);
    unlink(path);
    return has;
}

/* While nobody else can have it open, a store in WAL can be read without. */
static const char without_wal[] = "PRAGMA locking_mode = EXCLUSIVE;"
                                  "PRAGMA journal_mode = DELETE;"
                                  "PRAGMA locking_mode = NORMAL;"
                                  "PRAGMA synchronous = FULL;";

/* Before anything else is done with the file. */
static int choose_journal(struct store *store)
{
    store->has_wal = has_shared_mappings(store->path);
    if (store->has_wal)
        return 0;
    log_line("store '%s': its file system has no shared mappings (mmap), so it "
             "is kept without WAL: who reads and who writes wait for each "
             "other. A local disk is faster: HANDSPAN_STORE",
             store->path);
    int code = sqlite3_exec(store->db, without_wal, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : failed(store, code);
}

static int set_up(struct store *store)
{
    lane_assert(store->db != NULL);
    sqlite3_busy_timeout(store->db, BUSY_MS);
    int rc = choose_journal(store);
    if (rc != 0)
        return rc;
    /* Pages that retention frees can be given back bit by bit; it counts only
     * before the first table. */
    (void)sqlite3_exec(store->db, "PRAGMA auto_vacuum = INCREMENTAL", NULL,
                       NULL, NULL);
    /* first of all: a later version's file is not touched */
    rc = migrate_store(store->db, store->path, store->why, sizeof store->why);
    if (rc != 0)
        return rc;
    int code = sqlite3_exec(store->db,
                            store->has_wal ? "PRAGMA journal_mode = WAL;"
                                             "PRAGMA synchronous = NORMAL;"
                                             "PRAGMA cache_size = -8192;"
                                           : "PRAGMA cache_size = -8192;",
                            NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return failed(store, code);
    wal_begin(&store->wal, store->db);
    for (int i = 0; rc == 0 && i < STORE_STATEMENTS; i++)
        rc = prepare(store, (enum store_statement)i);
    if (rc == 0 && !(store->texts = texts_open(store->db)))
        rc = failed(store, sqlite3_errcode(store->db));
    return rc;
}

int store_open(const char *path, struct store **out, char *why,
               size_t why_bytes)
{
    lane_assert(path != NULL && why_bytes != 0);
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        return -ENOMEM;
    snprintf(store->path, sizeof store->path, "%s", path);
    int rc = paths_is_no_file(path) ? -ENOTSUP : paths_make_parents(path);
    if (rc != 0) {
        snprintf(why, why_bytes, "%s '%s': %s",
                 rc == -ENOTSUP ? "store" : "cannot create the folder of store",
                 path,
                 rc == -ENOTSUP ? "it is no regular file" : strerror(-rc));
        free(store);
        return rc;
    }
    /* one thread has it: its locks are a tenth of an insert */
    int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(path, &store->db, flags, NULL);
    rc = code == SQLITE_OK ? set_up(store) : failed(store, code);
    if (rc != 0) {
        snprintf(why, why_bytes, "%s", store->why);
        store_close(store);
        return rc;
    }
    *out = store;
    return 0;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    for (int i = 0; i < STORE_STATEMENTS; i++)
        sqlite3_finalize(store->statement[i]);
    texts_close(store->texts);
    sqlite3_close(store->db);
    free(store);
}

/* ---- the file ------------------------------------------------------------ */

static void log_path(const struct store *store, const char *end, char *path,
                     size_t cap_bytes)
{
    lane_assert(cap_bytes > PATHS_MAX);
    snprintf(path, cap_bytes, "%s%s", store->path, end);
}

static ino_t log_inode(const struct store *store)
{
    char path[PATHS_MAX + 8];
    struct stat at;
    log_path(store, "-wal", path, sizeof path);
    return stat(path, &at) == 0 ? at.st_ino : 0;
}

bool store_is_there(struct store *store)
{
    int has_moved = 0;
    if (sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED,
                             &has_moved) != SQLITE_OK ||
        has_moved)
        return false;
    store->log_inode = log_inode(store);
    return true;
}

/* The last connection takes the log beside the file along, by its name: it may
 * be another store's by now. */
void store_abandon(struct store *store)
{
    int keep = 1;
    char path[PATHS_MAX + 8];
    if (!store)
        return;
    store_rollback(store);
    (void)sqlite3_file_control(store->db, "main", SQLITE_FCNTL_PERSIST_WAL,
                               &keep);
    bool is_ours =
        store->log_inode != 0 && log_inode(store) == store->log_inode;
    log_path(store, "-wal", path, sizeof path);
    if (is_ours)
        unlink(path);
    log_path(store, "-shm", path, sizeof path);
    if (is_ours)
        unlink(path);
    store_close(store);
}

/* A commit in WAL mode is in the kernel's memory; a rollback journal's is on
 * the disk. */
int store_sync(struct store *store)
{
    lane_assert(store->db != NULL);
    char path[PATHS_MAX + 8];
    if (!store->has_wal)
        return 0;
    log_path(store, "-wal", path, sizeof path);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    int rc = fd < 0 || fdatasync(fd) == 0 ? 0 : -errno;
    if (fd >= 0)
        close(fd);
    if (rc != 0)
        snprintf(store->why, sizeof store->why, "cannot write '%s': %s", path,
                 strerror(-rc));
    return rc;
}

/* ---- statements -------------------------------------------------------- */

static int bind_one(sqlite3_stmt *s, int index, char shape, va_list *arguments)
{
    lane_assert(index > 0);
    if (shape == 'i') {
        int64_t n = va_arg(*arguments, int64_t);
        return n == STORE_NULL ? sqlite3_bind_null(s, index)
                               : sqlite3_bind_int64(s, index, n);
    }
    if (shape == 't')
        return sqlite3_bind_text(s, index, va_arg(*arguments, const char *), -1,
                                 SQLITE_STATIC);
    const void *bytes = va_arg(*arguments, const void *);
    size_t len_bytes = va_arg(*arguments, size_t);
    return sqlite3_bind_blob64(s, index, bytes, len_bytes, SQLITE_STATIC);
}

static int bind_all(struct store *store, sqlite3_stmt *s, const char *shape,
                    va_list *arguments)
{
    sqlite3_reset(s);
    for (int i = 0; shape[i]; i++) {
        int code = bind_one(s, i + 1, shape[i], arguments);
        if (code != SQLITE_OK)
            return failed(store, code);
    }
    return 0;
}

int store_next(struct store *store, enum store_statement statement)
{
    lane_assert(statement < STORE_STATEMENTS &&
                store->statement[statement] != NULL);
    sqlite3_stmt *s = store->statement[statement];
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        return 1;
    int rc = code == SQLITE_DONE ? 0 : failed(store, code);
    sqlite3_reset(s);
    return rc;
}

int store_run(struct store *store, enum store_statement statement,
              const char *shape, ...)
{
    lane_assert(statement < STORE_STATEMENTS);
    va_list arguments;
    va_start(arguments, shape);
    int rc = bind_all(store, store->statement[statement], shape, &arguments);
    va_end(arguments);
    if (rc != 0)
        return rc;
    do
        rc = store_next(store, statement);
    while (rc > 0);
    return rc == 0 ? sqlite3_changes(store->db) : rc;
}

static int bind_cell(sqlite3_stmt *s, int index, const struct store_cell *cell)
{
    lane_assert(index > 0);
    if (cell->shape == 't')
        return sqlite3_bind_text(s, index, cell->text, -1, SQLITE_STATIC);
    if (cell->shape == 'a') {
        char digits[24];
        int len =
            snprintf(digits, sizeof digits, "%lld", (long long)cell->number);
        return sqlite3_bind_blob(s, index, digits, len, SQLITE_TRANSIENT);
    }
    return cell->number == STORE_NULL
               ? sqlite3_bind_null(s, index)
               : sqlite3_bind_int64(s, index, cell->number);
}

int store_cells(struct store *store, enum store_statement statement,
                const struct store_cell *first, size_t row_bytes, uint32_t rows,
                uint32_t cells)
{
    lane_assert(statement < STORE_STATEMENTS && rows != 0 && cells != 0);
    sqlite3_stmt *s = store->statement[statement];
    int index = 1;
    for (uint32_t row = 0; row < rows; row++) {
        const struct store_cell *cell =
            (const void *)((const char *)first + row * row_bytes);
        for (uint32_t i = 0; i < cells; i++) {
            int code = bind_cell(s, index++, &cell[i]);
            if (code != SQLITE_OK)
                return failed(store, code);
        }
    }
    int rc = store_next(store, statement); /* an INSERT or UPDATE has no rows */
    sqlite3_reset(s);
    return rc < 0 ? rc : sqlite3_changes(store->db);
}

int store_put_text(struct store *store, int64_t session, const char *text,
                   int64_t *out)
{
    lane_assert(store->in_transaction && text != NULL);
    int code = texts_put(store->texts, session, text, out);
    return code == SQLITE_OK ? 0 : failed(store, code);
}

int store_start(struct store *store, enum store_statement statement,
                const char *shape, ...)
{
    lane_assert(statement < STORE_STATEMENTS);
    va_list arguments;
    va_start(arguments, shape);
    int rc = bind_all(store, store->statement[statement], shape, &arguments);
    va_end(arguments);
    return rc != 0 ? rc : store_next(store, statement);
}

int64_t store_int(struct store *store, enum store_statement statement,
                  int column)
{
    lane_assert(statement < STORE_STATEMENTS && column >= 0);
    return sqlite3_column_int64(store->statement[statement], column);
}

const void *store_blob(struct store *store, enum store_statement statement,
                       int column, size_t *len_bytes)
{
    lane_assert(statement < STORE_STATEMENTS && len_bytes != NULL);
    sqlite3_stmt *s = store->statement[statement];
    const void *bytes = sqlite3_column_blob(s, column);
    *len_bytes = (size_t)sqlite3_column_bytes(s, column);
    return bytes;
}

/* A later handspan may have migrated it under us: its rows are not ours to
 * write any more. */
static int check_version(struct store *store)
{
    lane_assert(store->in_transaction);
    int rc = store_start(store, STORE_VERSION, "");
    int64_t version = rc > 0 ? store_int(store, STORE_VERSION, 0) : 0;
    while (rc > 0)
        rc = store_next(store, STORE_VERSION);
    if (rc < 0 || version == sql_sqlite_version)
        return rc;
    snprintf(store->why, sizeof store->why,
             "store '%s' became version %lld, this handspan writes %d: the "
             "handspan that changed it goes on",
             store->path, (long long)version, sql_sqlite_version);
    return -EPROTONOSUPPORT;
}

/* What a reader keeps open cannot be used anew; there must be an end to it. */
static int check_log(struct store *store)
{
    if (!wal_is_full(&store->wal))
        return 0;
    snprintf(store->why, sizeof store->why,
             "store '%s': its write-ahead log has %lld MB, since somebody has "
             "had the store open for reading for long: end that reader",
             store->path, (long long)store->wal.pages * 4096 / 1000000);
    return -EBUSY;
}

bool store_is_held(const struct store *store)
{
    return wal_is_long(&store->wal);
}

int store_begin(struct store *store)
{
    if (store->in_transaction)
        return 0;
    int full = check_log(store);
    if (full != 0)
        return full;
    int rc = store_run(store, STORE_BEGIN, "");
    bool is_busy = rc < 0 && sqlite3_errcode(store->db) == SQLITE_BUSY;
    /* once it was long in other hands it is asked for often, not long */
    if (is_busy != store->is_busy)
        sqlite3_busy_timeout(store->db, is_busy ? BUSY_AGAIN_MS : BUSY_MS);
    store->is_busy = is_busy;
    if (rc < 0)
        return is_busy ? -EBUSY : rc;
    lane_assert(!store->in_transaction);
    store->in_transaction = true;
    store->changes_before = sqlite3_total_changes64(store->db);
    rc = check_version(store);
    if (rc < 0)
        store_rollback(store);
    return rc;
}

bool store_is_changed(const struct store *store)
{
    return store->in_transaction &&
           sqlite3_total_changes64(store->db) != store->changes_before;
}

int store_commit(struct store *store)
{
    lane_assert(store->db != NULL);
    if (!store->in_transaction)
        return 0;
    int rc = store_run(store, STORE_COMMIT, "");
    if (rc < 0)
        return rc;
    store->in_transaction = false;
    return 0;
}

void store_rollback(struct store *store)
{
    for (int i = 0; i < STORE_STATEMENTS; i++)
        sqlite3_reset(store->statement[i]);
    texts_reset(store->texts);
    if (store->in_transaction)
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    store->in_transaction = false;
}
