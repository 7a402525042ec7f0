/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long texts of spans, which stand apart from their rows: each distinct one of
 * a session once, with the number of columns that have it.
 */
#pragma once
#include <stdint.h>

struct sqlite3;
struct texts;

enum {
    TEXTS_ROW_BYTES = 800,  /* texts of a row, all together: more stand apart */
    TEXTS_LEAST_BYTES = 64, /* one that is shorter stays in any case */
};

/* Statements for a connection whose store is of our version. NULL: see
 * sqlite3_errcode(). */
struct texts *texts_open(struct sqlite3 *db);
void texts_close(struct texts *texts);
/* Its number, for one more column. In a transaction. An SQLite code. */
int texts_put(struct texts *texts, int64_t session, const char *text,
              int64_t *out) __attribute__((warn_unused_result));
/* Between transactions: nothing of it is under way. */
void texts_reset(struct texts *texts);
