/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log histogram of counters and rollups: 16 buckets an octave, so that a
 * value lies within 1/32 of its bucket's middle. Values below 16 have a bucket
 * of their own. General registers only: used on the path of a call.
 */
#pragma once
#include "lane/format/layout.h"

/* Bucket of a value, 0 .. LANE_HISTOGRAM_BUCKETS - 1. */
static inline uint32_t lane_histogram_bucket(uint64_t value)
{
    enum {
        SUB = LANE_HISTOGRAM_SUB
    };
    if (value < (1u << SUB))
        return (uint32_t)value;
    uint32_t exponent = 63u - (uint32_t)__builtin_clzll(value);
    uint32_t part = (uint32_t)(value >> (exponent - SUB)) & ((1u << SUB) - 1);
    uint32_t bucket = ((exponent - SUB + 1) << SUB) + part;
    return bucket < LANE_HISTOGRAM_BUCKETS ? bucket
                                           : LANE_HISTOGRAM_BUCKETS - 1;
}

/* The middle of a bucket. */
static inline uint64_t lane_histogram_middle(uint32_t bucket)
{
    enum {
        SUB = LANE_HISTOGRAM_SUB
    };
    if (bucket < (2u << SUB))
        return bucket;
    uint32_t shift = (bucket >> SUB) - 1;
    uint64_t low = (uint64_t)((1u << SUB) + (bucket & ((1u << SUB) - 1)))
                   << shift;
    return low + ((1ULL << shift) >> 1);
}
