/* SPDX-License-Identifier: Apache-2.0 */
/* See statements.h. What was run stays prepared, since retention runs the same
 * two dozen for each trace; nothing stays under way between its steps. */
#include "tools/store/statements.h"
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int bind(sqlite3_stmt *s, const char *shape, va_list *arguments)
{
    int code = SQLITE_OK;
    for (int i = 0; shape[i] && code == SQLITE_OK; i++) {
        if (shape[i] == 'i') {
            code = sqlite3_bind_int64(s, i + 1, va_arg(*arguments, int64_t));
        } else if (shape[i] == 't') {
            code = sqlite3_bind_text(s, i + 1, va_arg(*arguments, const char *),
                                     -1, SQLITE_TRANSIENT);
        } else {
            const void *bytes = va_arg(*arguments, const void *);
            size_t len = va_arg(*arguments, size_t);
            code = sqlite3_bind_blob64(s, i + 1, bytes, len, SQLITE_TRANSIENT);
        }
    }
    return code;
}

/* One with this text that is at rest. */
static sqlite3_stmt *kept(sqlite3 *db, const char *text)
{
    for (sqlite3_stmt *s = sqlite3_next_stmt(db, NULL); s;
         s = sqlite3_next_stmt(db, s)) {
        const char *sql = sqlite3_sql(s);
        if (!sqlite3_stmt_busy(s) && strncmp(sql, text, strlen(sql)) == 0)
            return s;
    }
    return NULL;
}

static void rest(sqlite3_stmt *s)
{
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
}

void statements_close(sqlite3 *db)
{
    for (sqlite3_stmt *s; (s = sqlite3_next_stmt(db, NULL));)
        sqlite3_finalize(s);
    sqlite3_close(db);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *text, const char *name,
                             const char *shape, va_list *arguments)
{
    char mark[64];
    sqlite3_stmt *s = NULL;
    int len = snprintf(mark, sizeof mark, "-- :%s\n", name);
    const char *at = strstr(text, mark);
    if (at)
        s = kept(db, at + len);
    if (!s &&
        (!at || sqlite3_prepare_v2(db, at + len, -1, &s, NULL) != SQLITE_OK))
        return NULL;
    if (bind(s, shape, arguments) == SQLITE_OK)
        return s;
    sqlite3_finalize(s);
    return NULL;
}

sqlite3_stmt *statements_begin(sqlite3 *db, const char *text, const char *name,
                               const char *shape, ...)
{
    va_list arguments;
    va_start(arguments, shape);
    sqlite3_stmt *s = prepare(db, text, name, shape, &arguments);
    va_end(arguments);
    return s;
}

static int to_end(sqlite3 *db, sqlite3_stmt *s)
{
    if (!s)
        return sqlite3_errcode(db) ? sqlite3_errcode(db) : SQLITE_ERROR;
    int code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW)
        ;
    rest(s);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int statements_run(sqlite3 *db, const char *text, const char *name,
                   const char *shape, ...)
{
    va_list arguments;
    va_start(arguments, shape);
    sqlite3_stmt *s = prepare(db, text, name, shape, &arguments);
    va_end(arguments);
    return to_end(db, s);
}

int statements_get(sqlite3 *db, const char *text, const char *name,
                   int64_t *out, int columns, int *found, const char *shape,
                   ...)
{
    va_list arguments;
    va_start(arguments, shape);
    sqlite3_stmt *s = prepare(db, text, name, shape, &arguments);
    va_end(arguments);
    *found = 0;
    if (s && sqlite3_step(s) == SQLITE_ROW) {
        *found = 1;
        for (int i = 0; i < columns; i++)
            out[i] = sqlite3_column_int64(s, i);
        rest(s);
        return SQLITE_OK;
    }
    return to_end(db, s);
}
