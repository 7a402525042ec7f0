/* SPDX-License-Identifier: Apache-2.0 */
/* Between feed.c (the store) and feed_rows.c (what columns mean). */
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

/* Turn the current row of a statement into one of the batch; the position's
 * keys follow. 0 or -ENOMEM. */
int feed_row(struct feed_batch *batch, enum upload_kind kind,
             sqlite3_stmt *statement, struct feed_position *at)
    __attribute__((warn_unused_result));
