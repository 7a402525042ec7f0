/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking traces out of the store: by age, by size, by outcome, or because
 * somebody asked for it. Everything goes in small transactions, each a step,
 * so that the sidecar (which runs this between its batches) and others wait
 * for one at most; a killed removal is finished by the next.
 *
 * - Older than keep_age: whole traces go, the oldest first.
 * - Older than thin_age: calls that went well and were not slow go; failed
 *   ones, the slowest of each handler and their callers stay. The totals stay
 *   exact: what went counts as calls without detail.
 * - Larger than keep_bytes: the oldest are thinned out, then the oldest good
 *   traces go, then the oldest.
 * What some sink did not get yet stays, unless include_unsent.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct retention;

struct retention_rules {
    int64_t keep_age_ns, thin_age_ns; /* -1: off */
    int64_t keep_bytes;               /* -1: off */
    bool include_unsent;
};
struct retention_done {
    int64_t traces, spans, thinned_traces, thinned_spans;
};
struct retention_size {
    int64_t used_bytes, free_bytes; /* free: within the file */
    bool gives_back;                /* auto_vacuum is incremental */
};

/* The settings keep_age, keep_size, thin_age. 0, or -EINVAL and a sentence:
 * then all of them are off, since a mistake must not remove anything. */
int retention_settings(struct retention_rules *out, char *why,
                       size_t why_bytes);

/* A store of our version that is there. 0 or -errno, `why`. */
int retention_open(const char *path, struct retention **out, char *why,
                   size_t why_bytes) __attribute__((warn_unused_result));
void retention_close(struct retention *r);
const char *retention_why(const struct retention *r);

/* One piece of work by the rules. 1 there may be more, 0 nothing to do,
 * -errno. */
int retention_step(struct retention *r, const struct retention_rules *rules,
                   int64_t now_unix_ns, struct retention_done *done)
    __attribute__((warn_unused_result));
/* What the rules would take by age, and thin out; held: traces that would go,
 * but for a sink. Nothing is changed. */
int retention_look(struct retention *r, const struct retention_rules *rules,
                   int64_t now_unix_ns, struct retention_done *out,
                   int64_t *held) __attribute__((warn_unused_result));
int retention_size(struct retention *r, struct retention_size *out)
    __attribute__((warn_unused_result));

/* A trace, all of it, so that its bytes are overwritten; with what a sink
 * refused of it. -ENOENT, -EBUSY: it still runs. */
int retention_delete(struct retention *r, const uint8_t trace_id[16],
                     int64_t now_unix_ns, struct retention_done *done)
    __attribute__((warn_unused_result));
/* After deletions: nothing of them stays in the log beside the store. 0,
 * -EBUSY: somebody reads; it goes when the last one closes. */
int retention_wipe_log(struct retention *r) __attribute__((warn_unused_result));
/* Write the file anew without its holes. Others wait meanwhile. */
int retention_compact(struct retention *r) __attribute__((warn_unused_result));
/* Each sink's name. */
int retention_sinks(struct retention *r,
                    void (*each)(void *context, const char *name),
                    void *context) __attribute__((warn_unused_result));
