/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of `spans` on their way into the store, several a statement: half of an
 * insert is what each statement costs. Part of a batch: written before anything
 * else looks at spans and before the commit, lost with the batch.
 */
#pragma once
#include <stdbool.h>
#include "tools/sidecar/store/store.h"

enum {
    ROW_CELLS = 23,       /* parameters of span_add */
    ROW_PLAIN_CELLS = 14, /* of span_plain: the first of them */
    ROW_OWN_FIRST = 14,   /* malloc'ed texts: input to links */
    ROW_OWN_END = 20,
    ROW_ERROR = 18,
    ROWS_PLAIN = 16, /* a statement; see sidecar.sql */
    ROWS_WHOLE = 16,
};
struct row {
    struct store_cell cell[ROW_CELLS];
};
struct rows {
    struct row plain[ROWS_PLAIN], whole[ROWS_WHOLE];
    uint32_t plain_count, whole_count;
    int64_t refused; /* final ones that were there already, not taken yet */
};

/* A final span that is not known to be there. Its texts are taken over, also
 * on failure. 0 or -errno. */
int rows_add(struct rows *rows, struct store *store, const struct row *row,
             bool is_plain) __attribute__((warn_unused_result));
/* One by itself. Rows changed (0: a final one is there), or -errno. */
int rows_put(struct store *store, const struct row *row, bool is_plain,
             bool is_there) __attribute__((warn_unused_result));
int rows_flush(struct rows *rows, struct store *store)
    __attribute__((warn_unused_result));
/* Of a final one that is not there yet: texts too long for a row go apart. 0 or
 * -errno. */
int row_spread(struct store *store, struct row *row)
    __attribute__((warn_unused_result));
void row_free(struct row *row);
void rows_free(struct rows *rows);
