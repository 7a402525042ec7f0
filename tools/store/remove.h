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

/* A piece of a trace; *more false: it is gone. with_refused: what sinks refused
 * of it as well. */
int remove_step(struct sqlite3 *db, const struct remove_trace *t,
                bool with_refused, struct retention_done *done, bool *more)
    __attribute__((warn_unused_result));
/* The mark that says so, before the first step. */
int remove_begin(struct sqlite3 *db, const struct remove_trace *t,
                 const char *reason, int64_t now_unix_ns)
    __attribute__((warn_unused_result));
/* Sessions without traces; *found: there was one. */
int remove_empty_session(struct sqlite3 *db, bool include_unsent, bool *found)
    __attribute__((warn_unused_result));

/* What stays of it, into a temporary table. */
int thin_begin(struct sqlite3 *db, const struct remove_trace *t)
    __attribute__((warn_unused_result));
/* A piece of what does not; *more false: done, or the trace changed. */
int thin_step(struct sqlite3 *db, const struct remove_trace *t,
              int64_t now_unix_ns, struct retention_done *done, bool *more)
    __attribute__((warn_unused_result));
