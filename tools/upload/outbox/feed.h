/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbox as a sink's uploader reads it: rows in order since its cursor, in
 * pages, each page one short transaction; and the sink's row in the store. The
 * reading half of tools/sidecar/store/outbox.h. SQLite is the
 * business of feed.c, feed_read.c and feed_rows.c alone here.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tools/upload/outbox/sink.h"

struct feed;
struct sqlite3_stmt;

/* How far: see sinks in 0004_sinks.sql; the rest is within an entry that is no
 * run of spans, and forgotten when the uploader ends. */
struct feed_position {
    int64_t seq, ref; /* ref UPLOAD_NULL: nothing of the next entry */
    int part;         /* kinds of rows of the next entry that are done */
    int64_t after;    /* and the last key of the one that is not */
    char after_text[512];
};
struct feed_batch {
    uint32_t refused_rows, refused_spans; /* of those, set aside */
    struct upload_row *rows;
    uint32_t count, cap;
    size_t text_bytes;
    struct feed_chunk *chunks; /* where the texts are */
    struct feed_position end;  /* behind the last row */
};

/*
 * Open a store that is there (the sidecar made it) for the sink of this name;
 * its row is made if need be. 0; -ENOENT: no store yet, or not of our version;
 * other -errno. A sentence in `why`.
 */
int feed_open(const char *store, const char *name, struct feed **out, char *why,
              size_t why_bytes) __attribute__((warn_unused_result));
void feed_close(struct feed *feed);
const char *feed_why(const struct feed *feed);

/*
 * The next rows, at most `most` and about `most_bytes` of text, of the kinds
 * in the mask. 0 or -errno; no row and is_more false: all is sent.
 */
int feed_read(struct feed *feed, uint32_t most, size_t most_bytes,
              uint32_t kinds, struct feed_batch *batch, bool *is_more)
    __attribute__((warn_unused_result));
/* Empty it, keep the memory of the rows. */
void feed_batch_clear(struct feed_batch *batch);
void feed_batch_free(struct feed_batch *batch);
/* All of the batch is taken care of: the cursor moves. */
int feed_move(struct feed *feed, const struct feed_batch *batch,
              int64_t rejected) __attribute__((warn_unused_result));
/* Put a row aside. `body` as sent. */
int feed_refuse(struct feed *feed, const struct upload_row *row,
                const char *body, const char *code, const char *message)
    __attribute__((warn_unused_result));
/* What the sink is doing; error NULL: as before. retry_in_ms < 0: not known. */
int feed_state(struct feed *feed, const char *state, const char *code,
               const char *error, int64_t retry_in_ms);

/* A refused row that is to be sent again: 1 (body malloc'ed), 0 none. */
int feed_again(struct feed *feed, int64_t *id, enum upload_kind *kind,
               char **body) __attribute__((warn_unused_result));
/* What became of it; code NULL: it is there. */
int feed_again_done(struct feed *feed, int64_t id, const char *code,
                    const char *message) __attribute__((warn_unused_result));

/* ---- for people: `handspan uploads`, status ------------------------------ */

struct feed_sink {
    int64_t sink, sent_spans, sent_rows, rejected, refused;
    int64_t waiting_spans, waiting_entries;
    int64_t waiting_since_unix_ns; /* UPLOAD_NULL: nothing waits */
    int64_t ok_unix_ns, error_unix_ns, retry_unix_ns;
    const char *name, *state, *error, *error_code;
};
struct feed_refused {
    int64_t id, at_unix_ns, tries;
    bool again;
    const char *sink, *kind, *key, *code, *message, *body;
};
/* A store without a sink of ours: for people, and for changes by hand. */
int feed_open_all(const char *store, struct feed **out, char *why,
                  size_t why_bytes) __attribute__((warn_unused_result));
/* Call for each; texts hold for the call. 0 or -errno. */
int feed_sinks(struct feed *feed,
               void (*call)(void *with, const struct feed_sink *sink),
               void *with) __attribute__((warn_unused_result));
int feed_refused(struct feed *feed,
                 void (*call)(void *with, const struct feed_refused *refused),
                 void *with) __attribute__((warn_unused_result));
/* Rows changed, or -errno. id 0: all. */
int feed_set_again(struct feed *feed, int64_t id)
    __attribute__((warn_unused_result));
int feed_drop_refused(struct feed *feed, int64_t id)
    __attribute__((warn_unused_result));
/* Forget a sink and what it refused. */
int feed_drop_sink(struct feed *feed, int64_t sink)
    __attribute__((warn_unused_result));
