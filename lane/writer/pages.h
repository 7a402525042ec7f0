/* SPDX-License-Identifier: Apache-2.0 */
/* Inside lane/: see pages.c. */
#pragma once
#include <stdint.h>

/* As lane_make_real(), and `ahead_bytes` more if they are to be had: they must
 * be inside the mapping. *end (may be NULL): address up to which pages are
 * real now. [target, signal-safe] */
int pages_make_real(void *at, uint64_t len_bytes, uint64_t ahead_bytes,
                    uint64_t *end) __attribute__((warn_unused_result));

/* MADV_POPULATE_WRITE and nothing else: also for memory that is in use. 0 or
 * -errno. */
int pages_populate(void *at, uint64_t len_bytes)
    __attribute__((warn_unused_result));
