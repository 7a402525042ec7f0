/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Totals per trace and handler, collected over a batch and added to the
 * store's rollups in its transaction.
 */
#pragma once
#include <stdint.h>
#include "lane/format/histogram.h"
#include "tools/sidecar/store/store.h"

struct total {
    int64_t trace;
    uint32_t site;
    int64_t calls, errors, total_ns, self_ns, max_ns, cpu_ns, dropped, slow;
    int64_t cpu_unknown, top_ns, top_cpu_ns, dropped_top_ns, untimed, loose;
    uint32_t histogram[LANE_HISTOGRAM_BUCKETS]; /* of ns */
};
struct totals {
    struct total **slot;
    uint32_t slots, count;
};

/* Empty. 0 or -ENOMEM; free it all the same. */
int totals_init(struct totals *totals) __attribute__((warn_unused_result));
void totals_free(struct totals *totals);
/* The entry of a trace and handler; NULL: no memory, or totals_full(). */
struct total *totals_get(struct totals *totals, int64_t trace, uint32_t site);
/* Time to flush. */
int totals_full(const struct totals *totals);
/* Add all to the store and begin anew. 0 or -errno. */
int totals_flush(struct totals *totals, struct store *store, int64_t session)
    __attribute__((warn_unused_result));
