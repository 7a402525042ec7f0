/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sidecar's figures for Prometheus: a file (setting metrics_file) written
 * anew every ten seconds and at the end, and an address (metrics_listen) that
 * answers any request with the same. Both off by default. The address is
 * served between batches; a client that does not say what it wants within
 * 50 ms is let go.
 */
#pragma once
#include <stdint.h>
#include "tools/store/metrics.h"

struct health {
    const char *store;
    int listen_fd; /* -1: none */
    int64_t write_at_ns;
};

/* From now on, of the store at this path, which must stay. */
void health_begin(struct health *health, const char *store);
/* Whatever is due. now_ns: the monotonic clock. */
void health_step(struct health *health, const struct metrics_sidecar *figures,
                 int64_t now_ns);
void health_end(struct health *health, const struct metrics_sidecar *figures);
