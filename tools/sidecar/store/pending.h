/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of spans before their record comes: frames (the input frame
 * stands in the log where the span began), and what their children took. Keyed
 * by span reference. What is still here when a batch is stored goes to the
 * table open_frames with it, so that the next sidecar finds it.
 */
#pragma once
#include <stdbool.h>
#include "lane/format/layout.h"
#include "tools/sidecar/store/store.h"

enum {
    PENDING_KINDS = LANE_FRAME_ATTRIBUTE + 1, /* enum lane_frame_kind; 0: what
                                                 children took */
    PENDING_INNER_MAX = 64,
};
struct pending_frame {
    uint8_t *payload;
    uint32_t len_bytes, count;
    uint32_t site; /* whose items its values are; 0: the span's */
};
/* Time of a handler's outermost activations below this span. */
struct pending_inner {
    uint32_t context, site;
    int64_t ns, cpu_ns;
};
struct pending {
    uint64_t ref;
    struct pending *next; /* in its chain */
    struct pending_frame frame[PENDING_KINDS];
    int64_t children_ns; /* direct ones, on the same lane */
    struct pending_inner *inner;
    uint32_t inner_count, inner_cap;
    uint32_t changed;   /* bit per kind: not stored as it is now */
    bool is_stored;     /* something of it is in open_frames */
    bool is_shown;      /* its span is stored as open */
    bool is_overdue;    /* and was looked at for that */
    uint8_t unseen;     /* looks at its lane that did not find it open */
    uint64_t unseen_at; /* position of the lane's log at the first of them */
};
struct pending_map {
    struct pending **chain;
    uint32_t chains, count;
    struct pending *spare; /* empty ones, by `next` */
    uint32_t spares;
    uint64_t *dropped; /* references to delete from open_frames */
    uint32_t dropped_count, dropped_cap;
};

/* An empty map. 0 or -ENOMEM; free it all the same. */
int pending_init(struct pending_map *map) __attribute__((warn_unused_result));
void pending_free(struct pending_map *map);
/* What waits for the span of this reference, NULL: nothing. The map's, until it
 * is dropped. */
struct pending *pending_find(const struct pending_map *map, uint64_t ref);
/* Find or make. NULL: no memory. */
struct pending *pending_get(struct pending_map *map, uint64_t ref);
/* Keep a copy of a frame. 0, -ENOMEM, -EINVAL. */
int pending_put_frame(struct pending_map *map, uint64_t ref, uint32_t kind,
                      uint32_t count, uint32_t site, const void *payload,
                      uint32_t len_bytes) __attribute__((warn_unused_result));
/* A child of `into` on the same lane is done: its time, its own handler's and
 * those below it (`child`, may be NULL). */
void pending_add_child(struct pending *into, const struct pending *child,
                       const struct pending_inner *own);
/* What activations of this handler below already added to its totals. */
struct pending_inner pending_inner_of(const struct pending *p, uint32_t context,
                                      uint32_t site);
/* Its record came: forget it, also in the store with the next save. */
void pending_drop(struct pending_map *map, struct pending *p);
/* Call for each; dropping the one it is called with is allowed. */
void pending_each(struct pending_map *map,
                  void (*call)(struct pending *p, void *with), void *with);

/* Save what changed, in the store's transaction; and load it again. */
int pending_save(struct pending_map *map, struct store *store, int64_t session)
    __attribute__((warn_unused_result));
int pending_load(struct pending_map *map, struct store *store, int64_t session)
    __attribute__((warn_unused_result));
