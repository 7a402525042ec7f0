/* SPDX-License-Identifier: Apache-2.0 */
/* Between feed.c (the store), feed_read.c (pages of the outbox) and feed_rows.c
 * (what columns mean). */
#pragma once
#include <sqlite3.h>
#include "tools/upload/outbox/feed.h"

enum feed_statement {
    FEED_BEGIN,
    FEED_COMMIT,
    FEED_ROLLBACK,
    FEED_SINK_ADD,
    FEED_SINK_FIND,
    FEED_SINK_MOVE,
    FEED_SINK_STATE,
    FEED_REFUSE,
    FEED_AGAIN,
    FEED_AGAIN_DONE,
    FEED_AGAIN_REFUSED,
    FEED_ENTRY,
    FEED_SPANS,
    FEED_TRACE,
    FEED_PROCESSES,
    FEED_SITES,
    FEED_LOSSES,
    FEED_ERRORS,
    FEED_THROWS,
    FEED_ROLLUPS,
    FEED_UPLOADS,
    FEED_REFUSED,
    FEED_REFUSED_AGAIN,
    FEED_REFUSED_DROP,
    FEED_SINK_DROP,
    FEED_SINK_DROP_REFUSED,
    FEED_STATEMENTS,
};

struct feed {
    sqlite3 *db;
    sqlite3_stmt *statement[FEED_STATEMENTS];
    int64_t sink;
    struct feed_position at; /* how far it got, as the store knows */
    char why[512];           /* of the last failure, for people */
};

/* Reset a statement and bind it, a letter of `shape` for each parameter: i
 * int64_t (UPLOAD_NULL: NULL), t const char * (NULL: NULL). */
sqlite3_stmt *feed_start(struct feed *feed, enum feed_statement which,
                         const char *shape, ...);
/* 1 a row, 0 none left, -errno; the last two reset the statement. */
int feed_next(struct feed *feed, sqlite3_stmt *statement)
    __attribute__((warn_unused_result));
/* A number of the current row, from column 0; UPLOAD_NULL: NULL. */
int64_t feed_column(sqlite3_stmt *statement, int column);

/* Turn the current row of a statement into one of the batch; the position's
 * keys follow. 0 or -ENOMEM. */
int feed_row(struct feed_batch *batch, enum upload_kind kind,
             sqlite3_stmt *statement, struct feed_position *at)
    __attribute__((warn_unused_result));
