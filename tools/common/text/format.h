/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers and times as people read them, all in fixed buffers by value so that
 * several fit into one printf. Negative input means "unknown" and gives "-".
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct format_text {
    char text[48];
};

/* 312ns 1.2us 95ms 1.2s 2m31s 3h02m 5d07h; at most 6 columns. `utf8` chooses
 * the micro sign. */
struct format_text format_duration(int64_t ns, int utf8);
/* 1,189 */
struct format_text format_count(int64_t n);
/* 71%; <1% for what is not nothing; "-" when `whole` is not positive. */
struct format_text format_share(int64_t part, int64_t whole);
/* 1.2 MiB */
struct format_text format_bytes(int64_t bytes);
/* Tue 2026-03-03 03:00:01 +0100, in the local time zone. */
struct format_text format_time(int64_t unix_ns);
/* 2026-03-03 03:00:01, local. */
struct format_text format_time_short(int64_t unix_ns);
/* +0100: the offset of local time then. */
struct format_text format_zone(int64_t unix_ns);
/* 2026-03-03T02:00:01.000000123Z: RFC 3339, UTC, exact. */
struct format_text format_rfc3339(int64_t unix_ns);
/* 2 min ago, 3 h ago; "" when it is in the future. */
struct format_text format_ago(int64_t unix_ns, int64_t now_unix_ns);

/* Wall clock now. */
int64_t format_now_ns(void);

/*
 * What people write: "10s", "1.5h", "2min", "3d" (units ns us ms s m min h d).
 * Nanoseconds through `out`. 0 or -EINVAL.
 */
int format_parse_duration(const char *text, int64_t *out_ns)
    __attribute__((warn_unused_result));
/*
 * A point in time: a duration ("2h": that long ago), today, yesterday,
 * 2026-03-03, "2026-03-03 03:00[:01]", RFC 3339 with Z or an offset.
 * Unix nanoseconds. 0 or -EINVAL.
 */
int format_parse_time(const char *text, int64_t now_unix_ns, int64_t *out_ns)
    __attribute__((warn_unused_result));
