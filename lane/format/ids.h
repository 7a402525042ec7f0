/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W3C span ids out of session key and span reference: a bijection for a given
 * key, so two spans of a session never share one. The lane holds the raw
 * reference; ids are made outside, and for TRACEPARENT.
 */
#pragma once
#include <stdint.h>

/* splitmix64's finalizer (Steele, Lea, Flood 2014): invertible. */
static inline uint64_t lane_mix64(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}
/* Span id as a big-endian number; never 0 (W3C forbids it). Reference 0 (no
 * span) is 0. */
static inline uint64_t lane_span_id(uint64_t session_key, uint64_t ref)
{
    if (ref == 0)
        return 0;
    uint64_t id = lane_mix64(ref ^ session_key);
    return id ? id : lane_mix64(session_key);
}
/* The parent id in a TRACEPARENT that `handspan run` and `handspan
 * traceparent` make: it stands for no span, who gets it is a root of the
 * trace. A function of the trace id (its halves as big-endian numbers), so
 * that it is known for what it is wherever it turns up. */
static inline uint64_t lane_origin_id(uint64_t trace_high, uint64_t trace_low)
{
    uint64_t id = lane_mix64(trace_high ^ lane_mix64(trace_low + 0x68616e64));
    return id ? id : 1;
}
/* And back: the reference of a span id. */
static inline uint64_t lane_unmix64(uint64_t x)
{
    x = (x ^ (x >> 31) ^ (x >> 62)) * 0x319642b2d24d8ec3ULL;
    x = (x ^ (x >> 27) ^ (x >> 54)) * 0x96de1b173f119089ULL;
    return x ^ (x >> 30) ^ (x >> 60);
}
static inline uint64_t lane_span_ref(uint64_t session_key, uint64_t id)
{
    /* the one reference that mixes to 0 borrowed the id of reference 0 */
    if (id == 0 || id == lane_mix64(session_key))
        return id == 0 ? 0 : session_key;
    return lane_unmix64(id) ^ session_key;
}
