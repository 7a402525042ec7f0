/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store as the sidecar writes it. This pair of files owns SQLite on the
 * writing side: statements come from sql/sqlite/sidecar.sql by name, are
 * prepared once, and SQLite's codes become -errno here.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* One per "-- :name" of sidecar.sql. */
enum store_statement {
    STORE_SESSION_ADD,
    STORE_SESSION_FIND,
    STORE_SESSION_SERVICE,
    STORE_SESSION_NOTE,
    STORE_SESSION_GAP,
    STORE_SESSION_END,
    STORE_SESSION_END_CURSORS,
    STORE_SESSION_END_FRAMES,
    STORE_SESSION_END_COUNTERS,
    STORE_SESSION_END_OPEN,
    STORE_CURSOR_ADD,
    STORE_CURSOR_MOVE,
    STORE_CURSOR_ALL,
    STORE_FRAME_SET,
    STORE_FRAME_DROP,
    STORE_FRAME_ALL,
    STORE_COUNTER_ADD,
    STORE_COUNTER_MOVE,
    STORE_COUNTER_GET,
    STORE_THREAD_SET,
    STORE_THREAD_LAST,
    STORE_PROCESS_SET,
    STORE_PROCESS_END,
    STORE_PROCESS_ENDED,
    STORE_PROCESS_EXECED,
    STORE_PROCESS_LOADED,
    STORE_PROCESS_LOST,
    STORE_TRACE_ROOTS,
    STORE_CONTEXT_FIND,
    STORE_CONTEXT_ADD,
    STORE_TRACE_FIND,
    STORE_TRACE_ADD,
    STORE_CONTEXT_ROOT,
    STORE_TRACE_ROOT,
    STORE_TRACE_PROCESS,
    STORE_TRACE_COMMAND,
    STORE_TRACE_WORK,
    STORE_PAUSE_BEGIN,
    STORE_PAUSE_END,
    STORE_PAUSES_END,
    STORE_PAUSES_SEEN,
    STORE_SITE_SET,
    STORE_SITE_UNSEEN,
    STORE_SPAN_PLAIN,
    STORE_SPAN_ADD,
    STORE_SPANS_PLAIN,
    STORE_SPANS_ADD,
    STORE_SPAN_SET,
    STORE_STACK_SET,
    STORE_STACK_GET,
    STORE_ORIGIN_SET,
    STORE_ORIGIN_GET,
    STORE_ORIGIN_THROWN,
    STORE_SESSION_END_ORIGINS,
    STORE_OVERDUE_FIND,
    STORE_OVERDUE_ADD,
    STORE_THROW_ADD,
    STORE_GROUP_ADD,
    STORE_ROLLUP_GET,
    STORE_ROLLUP_ADD,
    STORE_LOSS_SET,
    STORE_LOSS_ADD,
    STORE_VERSION,
    STORE_OUTBOX_SPANS,
    STORE_OUTBOX_SESSION,
    STORE_OUTBOX_TRACES,
    STORE_DIRTY_DONE,
    STORE_DIRTY_LEFT,
    STORE_BEGIN,
    STORE_COMMIT,
    STORE_STATEMENTS,
};

/* An unknown number: bound as NULL. */
#define STORE_NULL INT64_MIN

/* Open or create the store and bring it up to date. On failure a sentence for
 * people that names the file is in `why`. 0 or -errno; -EPROTONOSUPPORT: made
 * by a later version. */
int store_open(const char *path, struct store **out, char *why,
               size_t why_bytes) __attribute__((warn_unused_result));
void store_close(struct store *store);

/*
 * Bind and run a statement. `shape` has a letter for each parameter: i int64_t
 * (STORE_NULL: NULL), t const char * (NULL: NULL), b const void *, size_t.
 * store_run(): to its end; rows changed, or -errno. store_start() and
 * store_next(): 1 a row, 0 none left, -errno; columns hold until the next one.
 */
int store_run(struct store *store, enum store_statement statement,
              const char *shape, ...) __attribute__((warn_unused_result));
int store_start(struct store *store, enum store_statement statement,
                const char *shape, ...) __attribute__((warn_unused_result));
int store_next(struct store *store, enum store_statement statement)
    __attribute__((warn_unused_result));
/* A parameter of store_cells(): shape 'i' or 't', as above; 'a' the number of a
 * text that stands apart, see store_put_text(). */
struct store_cell {
    union {
        int64_t number;
        const char *text;
        char *own; /* a text of whoever made the cell */
    };
    char shape;
};
/* Run a statement whose parameters are `rows` rows of `cells` cells each, the
 * rows `row_bytes` apart. Rows changed, or -errno. */
int store_cells(struct store *store, enum store_statement statement,
                const struct store_cell *first, size_t row_bytes, uint32_t rows,
                uint32_t cells) __attribute__((warn_unused_result));
/* A long text, apart from the row that has it: its number. In a transaction.
 * 0 or -errno. */
int store_put_text(struct store *store, int64_t session, const char *text,
                   int64_t *out) __attribute__((warn_unused_result));
int64_t store_int(struct store *store, enum store_statement statement,
                  int column);
const void *store_blob(struct store *store, enum store_statement statement,
                       int column, size_t *len_bytes);

/* A transaction; begin does nothing inside one. -EPROTONOSUPPORT: the store was
 * brought to another version meanwhile. -EBUSY: others write, or somebody reads
 * for so long that the log beside the store is as large as it may become. */
int store_begin(struct store *store) __attribute__((warn_unused_result));
int store_commit(struct store *store) __attribute__((warn_unused_result));
void store_rollback(struct store *store);
/* Did the transaction write anything? */
bool store_is_changed(const struct store *store);
/* Somebody reads for long, so each commit makes the log beside the store
 * larger: few large ones, please. */
bool store_is_held(const struct store *store);
/* Is the file that we have open still the one at its path? A commit counts only
 * if it was afterwards. */
bool store_is_there(struct store *store);
/* Close one that is not: nothing of what lies at its path now is touched. */
void store_abandon(struct store *store);
/* What was committed is on the disk when this returns. 0 or -errno. */
int store_sync(struct store *store) __attribute__((warn_unused_result));
/* What the last failure was, for people; names the file. "" after none, or
 * after store_forget(). */
const char *store_why(struct store *store);
void store_forget(struct store *store);
