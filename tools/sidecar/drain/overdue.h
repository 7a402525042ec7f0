/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overdue("30s"): spans that are open for longer than they should be. Seen from
 * outside, with the looks at open spans that are made anyway: the process runs
 * no instruction for it.
 */
#pragma once
#include "tools/sidecar/drain/drain_internal.h"

/* Is this open span beyond its handler's limit? */
bool overdue_is(const struct session *session, const struct lane_open *open,
                uint64_t now_ticks);
/* Note it, once, with where its thread is: entry `at` of the `count` open spans
 * of its lane. Its row is there. 0 or -errno (of the store). */
int overdue_note(struct session *session, uint32_t lane,
                 const struct lane_open *open, int count, int at)
    __attribute__((warn_unused_result));
/* The same for spans between a begin and an end: no thread is in them. */
int overdue_look_begun(struct session *session, uint64_t now_ticks)
    __attribute__((warn_unused_result));
