/* SPDX-License-Identifier: Apache-2.0 */
/* Migrations: see migrate.h. */
#include "tools/store/migrate.h"
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include "sql/sql.h"

int migrate_errno(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return -EACCES;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return -EBADMSG;
    case SQLITE_CONSTRAINT:
        return -EEXIST;
    default:
        return -EIO;
    }
}

int migrate_version(sqlite3 *db, int *version)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &s, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        *version = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return code == SQLITE_ROW ? SQLITE_OK : code;
}

/* One migration with its new version, in one transaction. */
static int migrate_one(sqlite3 *db, int from)
{
    char pragma[64];
    snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d", from + 1);
    int version = -1; /* another process may have been faster */
    int code = sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return code;
    code = migrate_version(db, &version);
    if (code == SQLITE_OK && version == from) {
        code = sqlite3_exec(db, sql_sqlite_migrations[from], NULL, NULL, NULL);
        if (code == SQLITE_OK)
            code = sqlite3_exec(db, pragma, NULL, NULL, NULL);
    }
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    return code;
}

static int told(sqlite3 *db, const char *path, int code, char *why,
                size_t why_bytes)
{
    snprintf(why, why_bytes, "store '%s': %s", path, sqlite3_errmsg(db));
    (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    int rc = migrate_errno(code);
    return rc ? rc : -EIO;
}

int migrate_store(sqlite3 *db, const char *path, char *why, size_t why_bytes)
{
    int version = 0;
    int code = migrate_version(db, &version);
    if (code == SQLITE_OK && version > sql_sqlite_version) {
        snprintf(why, why_bytes,
                 "store '%s' has version %d, this handspan knows up to %d: use "
                 "the handspan that wrote it, or set HANDSPAN_STORE to "
                 "another file",
                 path, version, sql_sqlite_version);
        return -EPROTONOSUPPORT;
    }
    while (code == SQLITE_OK && version < sql_sqlite_version) {
        code = migrate_one(db, version);
        if (code == SQLITE_OK)
            code = migrate_version(db, &version);
    }
    return code == SQLITE_OK ? 0 : told(db, path, code, why, why_bytes);
}
