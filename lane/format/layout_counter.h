/* SPDX-License-Identifier: Apache-2.0 */
/* Part of layout.h, which includes it: the table of counters. */
#pragma once
#include "lane/format/layout.h"

/*
 * Calls of a site that have no record: over budget, lane full, no lane; and
 * those beyond LANE_OPEN_MAX, with a record or without. Shared by all threads:
 * relaxed atomic adds. Totals of a site = its records + these.
 *
 * total: outermost activations of the site on their thread. self: each call
 * adds its duration to its own site's and takes it from that of the call around
 * it, whether that one has a record or not; so a site's may be negative (two's
 * complement). top: outermost of all sites on their thread. Histogram of ticks,
 * of calls that have a time: lane_histogram_bucket().
 */
struct lane_counter {
    uint64_t calls, errors, total_ticks, max_ticks;
    uint64_t lost_captures; /* the record was written, its values were not */
    uint64_t over_deep;     /* of calls: begun beyond LANE_OPEN_MAX */
    uint64_t unmatched;     /* begin without end, end without begin */
    uint64_t no_frame;      /* of calls: the return address had to stay */
    uint64_t self_ticks;
    uint64_t top_ticks, top_cpu_ns;
    uint64_t cpu_ns;      /* of outermost activations */
    uint64_t cpu_unknown; /* of these: it is not known */
    uint64_t untimed;     /* of calls: they have no time of their own */
    uint64_t loose; /* of calls: what is around or below them is not known,
                       so that total and self are too large */
    uint64_t slow;  /* of calls: over the declaration's limit */
    uint32_t histogram[LANE_HISTOGRAM_BUCKETS];
};
_Static_assert(sizeof(struct lane_counter) == 128 + 4 * 768, "file format");
