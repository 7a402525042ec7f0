/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thinning a trace out, for retention.c: what went well and was not slow
 * becomes calls without detail. Two passes over its spans in short steps, from
 * the newest to the oldest: which are each handler's slowest, then what goes.
 * A call is met before what it was called from, so all that must be remembered
 * are callers still to come. Killed in between, each step leaves the trace
 * whole; the next one begins anew.
 */
#pragma once
#include "tools/store/remove.h"

struct thin;

/* NULL: out of memory. is_running: it goes on, so it may be thinned out again
 * later. */
struct thin *thin_begin(struct sqlite3 *db, const struct remove_trace *t,
                        bool is_running);
/* Look at spans for some milliseconds, take up to `most` of them out; *more
 * false: done, or the trace changed. An SQLite code: then end it. */
int thin_step(struct thin *thin, int64_t now_unix_ns, int64_t most,
              struct retention_done *done, bool *more)
    __attribute__((warn_unused_result));
void thin_end(struct thin *thin);
