/* SPDX-License-Identifier: Apache-2.0 */
/* Statements out of a file of sql/: the text under a line "-- :NAME". */
#pragma once
#include <stdint.h>

struct sqlite3;
struct sqlite3_stmt;

/* Close a connection that they were used on: what was run stays prepared. */
void statements_close(struct sqlite3 *db);

/* Run it to its end; `shape` has a letter for each parameter: i int64_t,
 * t const char * (NULL: NULL), b const void *, size_t. 0 or an SQLite code. */
int statements_run(struct sqlite3 *db, const char *text, const char *name,
                   const char *shape, ...) __attribute__((warn_unused_result));
/* The same with its first row, `columns` numbers of it into out; *found. */
int statements_get(struct sqlite3 *db, const char *text, const char *name,
                   int64_t *out, int columns, int *found, const char *shape,
                   ...) __attribute__((warn_unused_result));
/* Prepared and bound, for who reads rows. NULL: see sqlite3_errmsg(). */
struct sqlite3_stmt *statements_begin(struct sqlite3 *db, const char *text,
                                      const char *name, const char *shape, ...);
