/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures of a store in the text format of Prometheus (0.0.4), and its
 * sinks for `handspan status`. Counters of calls go down when retention takes
 * traces, so all of them are gauges.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "tools/common/text/buf.h"

/* What the sidecar knows beside the store; -1: unknown. */
struct metrics_sidecar {
    int64_t sessions_waiting, sessions_left_alone, drained_items,
        store_failures;
};
struct metrics_sink {
    const char *name, *state, *error, *error_code;
    int64_t sent_spans, rejected, refused, waiting_entries;
    int64_t waiting_since_unix_ns, ok_unix_ns, error_unix_ns, retry_unix_ns;
};

/* Append all of it. A store that is not there has no figures. 0 or -errno. */
int metrics_text(const char *store, const struct metrics_sidecar *sidecar,
                 int64_t now_unix_ns, struct buf *out)
    __attribute__((warn_unused_result));
/* Each sink; texts hold for the call, unknown times are 0. */
int metrics_sinks(const char *store,
                  void (*each)(void *context, const struct metrics_sink *sink),
                  void *context) __attribute__((warn_unused_result));
