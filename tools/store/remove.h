/* SPDX-License-Identifier: Apache-2.0 */
/* Single removals, for retention.c: each call is a transaction or less. SQLite
 * codes. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "tools/store/retention.h"

struct sqlite3;

struct remove_trace {
    int64_t trace;
    uint8_t id[16];
};

/* Up to `most` spans of a trace; *more false: it is gone. with_refused: what
 * sinks refused of it as well. */
int remove_step(struct sqlite3 *db, const struct remove_trace *t,
                bool with_refused, int64_t most, struct retention_done *done,
                bool *more) __attribute__((warn_unused_result));
/* The mark that says so, before the first step. */
int remove_begin(struct sqlite3 *db, const struct remove_trace *t,
                 const char *reason, int64_t now_unix_ns)
    __attribute__((warn_unused_result));
/* A session without traces, of those behind *after, which moves on; *more:
 * there may be others. */
int remove_empty_session(struct sqlite3 *db, bool include_unsent,
                         int64_t *after, bool *more)
    __attribute__((warn_unused_result));

/* The spans in temp.chunk, and what of their texts nobody else has. */
int remove_chunk(struct sqlite3 *db) __attribute__((warn_unused_result));
/* Commits if `code` is SQLITE_OK, else rolls back. What became of it. */
int remove_end(struct sqlite3 *db, int code)
    __attribute__((warn_unused_result));
