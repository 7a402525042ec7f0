/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes that a program gave its spans itself (include/handspan.h): frames
 * of kind ATTRIBUTE, added up while the span is open, merged into the JSON of
 * its attributes when its row is made.
 */
#pragma once
#include "lane/reader/reader.h"
#include "tools/sidecar/store/pending.h"

/* One more for its span. 0 or -ENOMEM. */
int attribute_take(struct pending_map *map, const struct lane_log_item *item)
    __attribute__((warn_unused_result));
/* Into the JSON object at *json (malloc'ed, or NULL: none yet). The program's
 * own win; `handspan.attributes_dropped` says how many found no room. 0 or
 * -ENOMEM. */
int attribute_merge(const struct pending *p, char **json)
    __attribute__((warn_unused_result));
