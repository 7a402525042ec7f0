/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of spans, several a statement: see rows.h. */
#include "tools/sidecar/store/rows.h"
#include <stdlib.h>
#include <string.h>
#include "tools/store/texts.h"
#include "lane/format/assert.h"

void row_free(struct row *row)
{
    for (int i = ROW_OWN_FIRST; i < ROW_OWN_END; i++) {
        if (row->cell[i].shape == 't')
            free(row->cell[i].own);
        row->cell[i] = (struct store_cell){.shape = 't'};
    }
}

/* The longest text of a row that is to stand apart; 0: none. */
static int longest(const struct row *row)
{
    size_t all = 0, most = TEXTS_LEAST_BYTES;
    int found = 0;
    for (int i = ROW_OWN_FIRST; i < ROW_OWN_END; i++) {
        const struct store_cell *cell = &row->cell[i];
        size_t len = cell->shape == 't' && cell->text ? strlen(cell->text) : 0;
        all += len;
        if (len > most) {
            most = len;
            found = i;
        }
    }
    return all > TEXTS_ROW_BYTES ? found : 0;
}

static int set_apart(struct store *store, struct row *row, int i)
{
    lane_assert(i >= ROW_OWN_FIRST && i < ROW_OWN_END &&
                row->cell[i].shape == 't');
    int64_t apart;
    struct store_cell *cell = &row->cell[i];
    int rc = store_put_text(store, row->cell[0].number, cell->text, &apart);
    if (rc != 0)
        return rc;
    free(cell->own);
    *cell = (struct store_cell){.number = apart, .shape = 'a'};
    return 0;
}

int row_spread(struct store *store, struct row *row)
{
    lane_assert(store != NULL);
    const char *error = row->cell[ROW_ERROR].text;
    int rc = 0;
    if (error && strlen(error) > TEXTS_LEAST_BYTES) /* others have it, too */
        rc = set_apart(store, row, ROW_ERROR);
    for (int i; rc == 0 && (i = longest(row)) != 0;)
        rc = set_apart(store, row, i);
    return rc;
}

int rows_put(struct store *store, const struct row *row, bool is_plain,
             bool is_there)
{
    int rc = 0;
    if (!is_there)
        rc = is_plain ? store_cells(store, STORE_SPAN_PLAIN, row->cell,
                                    sizeof *row, 1, ROW_PLAIN_CELLS)
                      : store_cells(store, STORE_SPAN_ADD, row->cell,
                                    sizeof *row, 1, ROW_CELLS);
    if (rc == 0) /* it is there: open, if it may still change */
        rc = store_cells(store, STORE_SPAN_SET, row->cell, sizeof *row, 1,
                         ROW_CELLS);
    return rc;
}

/* Some of them were there: those that are open become final. The others cannot
 * be told from what was inserted just now, but counted. */
static int set_open(struct rows *rows, struct store *store,
                    const struct row *row, uint32_t count, uint32_t added)
{
    lane_assert(count != 0 && added <= count);
    int64_t left = (int64_t)count - (int64_t)added;
    for (uint32_t i = 0; i < count; i++) {
        int rc = store_cells(store, STORE_SPAN_SET, row[i].cell, sizeof *row, 1,
                             ROW_CELLS);
        if (rc < 0)
            return rc;
        left -= rc;
    }
    rows->refused += left;
    return 0;
}

static int write_all(struct rows *rows, struct store *store, struct row *row,
                     uint32_t *count, bool is_plain)
{
    uint32_t full = is_plain ? ROWS_PLAIN : ROWS_WHOLE, n = *count, added = 0;
    lane_assert(n <= full);
    int rc = 0;
    *count = 0;
    if (n == full) {
        rc = store_cells(store, is_plain ? STORE_SPANS_PLAIN : STORE_SPANS_ADD,
                         row->cell, sizeof *row, n,
                         is_plain ? ROW_PLAIN_CELLS : ROW_CELLS);
        added = rc > 0 ? (uint32_t)rc : 0;
    }
    for (uint32_t i = 0; n < full && rc >= 0 && i < n; i++) {
        rc = rows_put(store, &row[i], is_plain, false);
        rows->refused += rc == 0;
    }
    if (n == full && rc >= 0 && added < n)
        rc = set_open(rows, store, row, n, added);
    for (uint32_t i = 0; !is_plain && i < n; i++)
        row_free(&row[i]);
    return rc < 0 ? rc : 0;
}

int rows_add(struct rows *rows, struct store *store, const struct row *row,
             bool is_plain)
{
    lane_assert(rows->plain_count < ROWS_PLAIN &&
                rows->whole_count < ROWS_WHOLE);
    if (is_plain) {
        rows->plain[rows->plain_count++] = *row;
        return rows->plain_count < ROWS_PLAIN
                   ? 0
                   : write_all(rows, store, rows->plain, &rows->plain_count,
                               true);
    }
    rows->whole[rows->whole_count++] = *row;
    return rows->whole_count < ROWS_WHOLE
               ? 0
               : write_all(rows, store, rows->whole, &rows->whole_count, false);
}

int rows_flush(struct rows *rows, struct store *store)
{
    lane_assert(rows->plain_count <= ROWS_PLAIN &&
                rows->whole_count <= ROWS_WHOLE);
    int rc = write_all(rows, store, rows->plain, &rows->plain_count, true);
    if (rc == 0)
        rc = write_all(rows, store, rows->whole, &rows->whole_count, false);
    return rc;
}

void rows_free(struct rows *rows)
{
    for (uint32_t i = 0; i < rows->whole_count; i++)
        row_free(&rows->whole[i]);
    rows->plain_count = rows->whole_count = 0;
}
