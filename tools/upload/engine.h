/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One sink's work: rows from the feed to the sink until all is sent, whatever
 * the answers are. Runs in the uploader's process (upload.c).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "tools/upload/outbox/feed.h"
#include "tools/upload/outbox/sink.h"

struct engine {
    const struct sink_ops *ops;
    void *sink;
    const char *store, *name;
    struct feed *feed; /* open while there is work */
    struct feed_batch batch;
    uint32_t limit;    /* rows a request, adapted */
    uint32_t failures; /* in a row, without an acknowledged row */
    uint32_t refusals; /* rows set aside in a row */
    uint32_t holds;    /* in a row */
    int64_t rejected;  /* of this batch */
    bool is_held;      /* for the log: said so */
    bool was_idle;     /* the store says so */
    /* Wait so long or until there is something new; false: the end came. */
    bool (*wait)(void *context, int64_t ms);
    bool (*is_over)(void *context);
    void (*say)(void *context, const char *text);
    void *context;
};

/* Send what there is. 0 all is sent; 1 the end came before; -errno trouble
 * with the store. */
int engine_run(struct engine *engine) __attribute__((warn_unused_result));
void engine_free(struct engine *engine);
