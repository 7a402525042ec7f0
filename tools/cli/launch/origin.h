/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The beginning of a trace outside of any traced program: a TRACEPARENT whose
 * parent id stands for no span (lane_origin_id()), so that whoever gets it is
 * a root of the trace.
 */
#pragma once
#include <stdbool.h>

enum {
    ORIGIN_BYTES = 56 /* 00-TRACE-PARENT-01 and NUL */
};
/* A fresh one. 0 or -errno. */
int origin_make(char out[ORIGIN_BYTES]) __attribute__((warn_unused_result));
/* Is this a TRACEPARENT that the preload would join (W3C trace context 3.2)? */
bool origin_is_traceparent(const char *text);
