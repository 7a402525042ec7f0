/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames 6 to 9 of the log, on their way to an error's JSON. A stack copy is
 * turned into names as soon as it comes and is never stored; what an error
 * refers to by its place in the log is kept until the session ends.
 */
#pragma once
#include "tools/sidecar/drain/drain_internal.h"

/* Take a frame of one of these kinds. 0 or -errno (of the store); -EINPROGRESS:
 * nothing was taken, its stack is being named or waits for that. */
int stacks_take(struct session *session, uint32_t lane,
                const struct lane_log_item *item)
    __attribute__((warn_unused_result));
/* Gather what the error of a span has. 0 or -errno. */
int stacks_gather(struct session *session, const struct drain_span *span,
                  const struct pending *pending, struct decode_context *out)
    __attribute__((warn_unused_result));
/* Is a fatal signal's stack waiting for this span? `died_by`: of drain_span. */
bool stacks_is_fatal(const struct pending *pending, int died_by);
/* The group of a span's error gains one. 0 or -errno. */
int stacks_store_group(struct session *session, const struct drain_span *span,
                       const struct decode_result *error)
    __attribute__((warn_unused_result));
