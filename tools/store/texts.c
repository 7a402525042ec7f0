/* SPDX-License-Identifier: Apache-2.0 */
/* See texts.h. */
#include "tools/store/texts.h"
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include "sql/sql.h"
#include "tools/common/text/hash.h"
#include "tools/store/statements.h"

enum which {
    FIND,
    USE,
    ADD,
    STATEMENTS,
};
static const char *const names[STATEMENTS] = {"find", "use", "add"};

struct texts {
    sqlite3 *db;
    sqlite3_stmt *statement[STATEMENTS];
};

struct texts *texts_open(sqlite3 *db)
{
    struct texts *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->db = db;
    for (int i = 0; i < STATEMENTS; i++) {
        t->statement[i] = statements_begin(db, sql_sqlite_texts, names[i], "");
        if (!t->statement[i]) {
            texts_close(t);
            return NULL;
        }
    }
    return t;
}

void texts_close(struct texts *texts)
{
    if (!texts)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(texts->statement[i]);
    free(texts);
}

void texts_reset(struct texts *texts)
{
    for (int i = 0; texts && i < STATEMENTS; i++)
        sqlite3_reset(texts->statement[i]);
}

/* The key of :find and :add. */
static void bind(sqlite3_stmt *s, int64_t session, uint64_t hash,
                 const char *text)
{
    sqlite3_bind_int64(s, 1, session);
    sqlite3_bind_int64(s, 2, (int64_t)hash);
    sqlite3_bind_text(s, 3, text, -1, SQLITE_STATIC);
}

static int run(sqlite3_stmt *s)
{
    int code = sqlite3_step(s);
    sqlite3_reset(s);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int texts_put(struct texts *texts, int64_t session, const char *text,
              int64_t *out)
{
    uint64_t hash = hash_bytes(HASH_BEGIN, text, strlen(text));
    sqlite3_stmt *find = texts->statement[FIND], *use = texts->statement[USE];
    bind(find, session, hash, text);
    int code = sqlite3_step(find);
    int64_t found = code == SQLITE_ROW ? sqlite3_column_int64(find, 0) : 0;
    sqlite3_reset(find);
    if (code == SQLITE_ROW) {
        sqlite3_bind_int64(use, 1, found);
        code = run(use);
    } else if (code == SQLITE_DONE) {
        bind(texts->statement[ADD], session, hash, text);
        code = run(texts->statement[ADD]);
        found = sqlite3_last_insert_rowid(texts->db);
    }
    if (code == SQLITE_OK)
        *out = found;
    return code;
}
