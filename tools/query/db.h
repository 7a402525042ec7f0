/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store, opened for reading only. A view never keeps a transaction open
 * while it prints or thinks: an open reader lets the write-ahead log grow
 * without bound. Each call here is one short transaction.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct query_db;
struct sqlite3;
struct sqlite3_stmt;

enum {
    QUERY_SCHEMA = 19 /* the newest PRAGMA user_version that we can read */
};

/*
 * Open the store. On failure a sentence for people in `why`, and: -ENOENT
 * nothing there, -EACCES, -ENOTSUP another version, -EINVAL no store of ours,
 * -EIO.
 */
int query_open(const char *path, struct query_db **out, char *why,
               size_t why_bytes) __attribute__((warn_unused_result));
void query_close(struct query_db *db);
/* What went wrong last. */
const char *query_error(const struct query_db *db);

/* Is `text` what is written, or does the glob match (*, ?, [a-z]; case
 * counts)? NULL matches nothing. The rule of all filters, in SQL as well. */
bool query_glob(const char *glob, const char *text);

/* ---- for the files of this folder only --------------------------------- */

/* For what has no function here. */
struct sqlite3 *query_handle(struct query_db *db);
/* A prepared statement with parameters by name (":trace"), or NULL. */
struct sqlite3_stmt *query_prepare(struct query_db *db, const char *sql);
void query_bind_int(struct sqlite3_stmt *stmt, const char *name, int64_t n);
/* NULL binds NULL; the text must live until the statement is reset. */
void query_bind_text(struct sqlite3_stmt *stmt, const char *name,
                     const char *text);
void query_bind_blob(struct sqlite3_stmt *stmt, const char *name,
                     const void *bytes, int len_bytes);
/* 1 a row, 0 no more, -EIO (also -EBUSY after the timeout). */
int query_step(struct query_db *db, struct sqlite3_stmt *stmt)
    __attribute__((warn_unused_result));
void query_finish(struct sqlite3_stmt *stmt);
/* A column as number; `otherwise` for NULL. */
int64_t query_int(struct sqlite3_stmt *stmt, int column, int64_t otherwise);
/* A column as text, NULL for NULL; until the next step. */
const char *query_text(struct sqlite3_stmt *stmt, int column);
/* The same copied; NULL stays NULL, and so does a failed allocation. */
char *query_text_copy(struct sqlite3_stmt *stmt, int column);
/* A blob of exactly this length as a big-endian number, else 0. */
uint64_t query_blob64(struct sqlite3_stmt *stmt, int column);
