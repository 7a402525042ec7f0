/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the frames QUEUE, LINK and ORPHAN of a lane hold: whose work a span is
 * (docs/context.md); and ATTRIBUTE: what the program says of it. Part of the
 * format in layout.h; apart because only who writes or reads these needs it.
 */
#pragma once
#include "lane/format/layout.h"

/* How long the item waited that this span works on: in `capture` of its record
 * (or open entry) if it has no input frame, as ticks << SHIFT | QUEUE ... */
enum {
    LANE_CAPTURE_QUEUE = 32,
    LANE_CAPTURE_QUEUE_SHIFT = 6,
};
/* ... else in a frame. */
struct lane_frame_queue {
    uint64_t carried_ticks, adopted_ticks;
};
_Static_assert(sizeof(struct lane_frame_queue) == 16, "fits inline");

/* An item that a batch span consumed: the span that handed it over. */
struct lane_link {
    uint64_t span;    /* reference */
    uint32_t context; /* index */
    uint32_t pad0;
};
_Static_assert(sizeof(struct lane_link) == 16, "file format");
enum {
    LANE_LINK_MAX = 2048 /* of one span */
};

/* Why nobody knows whose work this span is; its parent is the process. */
enum lane_orphan {
    LANE_ORPHAN_NO_CARRIER = 1, /* nobody carried what was adopted */
    LANE_ORPHAN_EXPIRED = 2,    /* it was carried too long ago */
    LANE_ORPHAN_STACK = 3,      /* on a stack that nobody saw being made */
    LANE_ORPHAN_RETURNED = 4,   /* who took the item up may have returned, or
                                   have tail-called it */
};
struct lane_frame_orphan {
    uint32_t reason; /* enum lane_orphan */
    uint32_t pad0;
};
_Static_assert(sizeof(struct lane_frame_orphan) == 8, "fits inline");

/* A value that the program gave its span a name for (include/handspan.h): this,
 * the key, the value. One frame each; the last of a key counts. */
struct lane_attribute {
    uint16_t type; /* enum lane_attribute_type */
    uint16_t key_bytes;
    uint32_t value_bytes;
};
_Static_assert(sizeof(struct lane_attribute) == 8, "file format");
enum lane_attribute_type {
    LANE_ATTRIBUTE_TEXT = 1,    /* not said to be UTF-8 */
    LANE_ATTRIBUTE_INTEGER = 2, /* int64_t */
    LANE_ATTRIBUTE_DOUBLE = 3,
};
enum {
    LANE_ATTRIBUTE_KEY_MAX = 63,
    LANE_ATTRIBUTE_VALUE_MAX = 511,
    LANE_ATTRIBUTE_MAX = 8 + LANE_ATTRIBUTE_KEY_MAX + LANE_ATTRIBUTE_VALUE_MAX,
    /* of all attributes of one span; one that found no room there is a frame
     * without payload, so that it is counted */
    LANE_ATTRIBUTES_MAX = 64 * 1024,
};
