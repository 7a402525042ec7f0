/* SPDX-License-Identifier: Apache-2.0 */
/* Inside lane/: see pages.c. */
#pragma once
#include "lane/session.h"

/* As lane_make_real(), and `ahead_bytes` more if they are to be had: they must
 * be inside the mapping. *end (may be NULL): address up to which pages are
 * real now. [target, signal-safe] */
int pages_make_real(void *at, uint64_t len_bytes, uint64_t ahead_bytes,
                    uint64_t *end) __attribute__((warn_unused_result));

/* A unit never used before, under the budget and with pages. Index, -ENOSPC.
 * [target and sidecar, signal-safe] */
int64_t units_take_fresh(struct lane_map *map)
    __attribute__((warn_unused_result));
