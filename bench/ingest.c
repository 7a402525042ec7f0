// SPDX-License-Identifier: Apache-2.0
/*
 * The bare insert that bench/ingest.py measures the sidecar against: rows of
 * `spans` of one store, in the order of their key, into an empty store of the
 * same schema: one prepared statement, batches, the sidecar's settings of the
 * write-ahead log. Rows are read before the clock of their batch runs, as
 * numbers and pointers, so that what is measured is bind, step, commit.
 *
 *   bench_ingest FROM INTO ROWS_A_BATCH
 * Prints "rows N wall_ns N cpu_ns N".
 */
#define _GNU_SOURCE
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    COLUMNS_MAX = 40
};
struct cell {
    int type;
    union {
        int64_t number;
        const char *text;
    };
};
static struct cell *cells;
static char *texts;
static size_t texts_cap, texts_used;
static int columns;

static void check(sqlite3 *db, int code, const char *what)
{
    if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW)
        return;
    fprintf(stderr, "bench_ingest: %s: %s\n", what, sqlite3_errmsg(db));
    exit(1);
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static const char *keep(const unsigned char *text, int len)
{
    size_t bytes = (size_t)len + 1;
    if (texts_used + bytes > texts_cap) {
        fprintf(stderr, "bench_ingest: more than %zu bytes of text a batch\n",
                texts_cap);
        exit(1);
    }
    char *copy = memcpy(texts + texts_used, text, bytes);
    texts_used += bytes;
    return copy;
}

/* The next rows; how many. */
static int batch_read(sqlite3_stmt *from, int most)
{
    int rows = 0;
    texts_used = 0;
    while (rows < most && sqlite3_step(from) == SQLITE_ROW) {
        struct cell *cell = cells + (size_t)rows++ * (size_t)columns;
        for (int i = 0; i < columns; i++) {
            cell[i].type = sqlite3_column_type(from, i);
            if (cell[i].type == SQLITE_INTEGER)
                cell[i].number = sqlite3_column_int64(from, i);
            else if (cell[i].type == SQLITE_TEXT)
                cell[i].text = keep(sqlite3_column_text(from, i),
                                    sqlite3_column_bytes(from, i));
        }
    }
    return rows;
}

static void batch_insert(sqlite3 *db, sqlite3_stmt *into, int rows)
{
    check(db, sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), "begin");
    for (int row = 0; row < rows; row++) {
        const struct cell *cell = cells + (size_t)row * (size_t)columns;
        for (int i = 0; i < columns; i++)
            if (cell[i].type == SQLITE_INTEGER)
                sqlite3_bind_int64(into, i + 1, cell[i].number);
            else if (cell[i].type == SQLITE_TEXT)
                sqlite3_bind_text(into, i + 1, cell[i].text, -1, SQLITE_STATIC);
            else
                sqlite3_bind_null(into, i + 1);
        check(db, sqlite3_step(into), "insert");
        sqlite3_reset(into);
    }
    check(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), "commit");
}

static sqlite3 *store_open(const char *path)
{
    sqlite3 *db;
    int code = sqlite3_open_v2(
        path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) /* as tools/sidecar/store/store.c */
        code = sqlite3_exec(db,
                            "PRAGMA journal_mode = WAL;"
                            "PRAGMA synchronous = NORMAL;"
                            "PRAGMA wal_autocheckpoint = 4096;"
                            "PRAGMA cache_size = -8192;",
                            NULL, NULL, NULL);
    check(db, code, path);
    return db;
}

static sqlite3_stmt *insert_prepare(sqlite3 *db)
{
    char text[4096] = "INSERT INTO span_rows VALUES (?";
    sqlite3_stmt *s;
    for (int i = 1; i < columns; i++)
        strncat(text, ", ?", sizeof text - strlen(text) - 1);
    strncat(text, ")", sizeof text - strlen(text) - 1);
    check(db, sqlite3_prepare_v2(db, text, -1, &s, NULL), "prepare");
    return s;
}

int main(int argc, char **argv)
{
    int batch = argc == 4 ? (int)strtol(argv[3], NULL, 10) : 0;
    if (batch <= 0) {
        fprintf(stderr, "usage: bench_ingest FROM INTO ROWS_A_BATCH\n");
        return 2;
    }
    sqlite3 *from = store_open(argv[1]), *into = store_open(argv[2]);
    sqlite3_stmt *select;
    check(from,
          sqlite3_prepare_v2(from, "SELECT * FROM span_rows ORDER BY session, ref",
                             -1, &select, NULL),
          "prepare");
    columns = sqlite3_column_count(select);
    sqlite3_stmt *insert = insert_prepare(into);
    texts_cap = (size_t)batch * 4096;
    texts = malloc(texts_cap);
    cells = calloc((size_t)batch * (size_t)columns, sizeof *cells);
    if (!texts || !cells)
        return 1;
    int64_t wall = 0, cpu = 0, total = 0;
    for (int rows = batch; rows == batch; total += rows) {
        rows = batch_read(select, batch);
        int64_t wall_from = clock_ns(CLOCK_MONOTONIC);
        int64_t cpu_from = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        batch_insert(into, insert, rows);
        cpu += clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_from;
        wall += clock_ns(CLOCK_MONOTONIC) - wall_from;
    }
    sqlite3_finalize(insert);
    sqlite3_finalize(select);
    int64_t wall_from = clock_ns(CLOCK_MONOTONIC);
    int64_t cpu_from = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    sqlite3_close(into); /* the last checkpoint, which the sidecar makes, too */
    cpu += clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_from;
    wall += clock_ns(CLOCK_MONOTONIC) - wall_from;
    sqlite3_close(from);
    printf("rows %lld wall_ns %lld cpu_ns %lld\n", (long long)total,
           (long long)wall, (long long)cpu);
    return 0;
}
