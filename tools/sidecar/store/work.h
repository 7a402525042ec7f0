/* SPDX-License-Identifier: Apache-2.0 */
/* What goes on for a trace whose root is a handler, on other threads or later
 * than the root: how long, and whether it failed. Of one batch. */
#pragma once
#include <stdint.h>

struct store;
struct work_item {
    int64_t trace, end_unix_ns, failed_unix_ns; /* failed: 0 none */
};
enum {
    WORK_ITEMS = 64
};
struct work {
    struct work_item item[WORK_ITEMS];
    uint32_t count;
};

/* One ended. 0 or -errno. */
int work_add(struct work *work, struct store *store, int64_t trace,
             int64_t end_unix_ns, int is_failed)
    __attribute__((warn_unused_result));
/* In the batch's transaction. 0 or -errno. */
int work_flush(struct work *work, struct store *store)
    __attribute__((warn_unused_result));
