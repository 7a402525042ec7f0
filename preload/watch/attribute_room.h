/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of LANE_ATTRIBUTES_MAX the attributes of each open span have taken:
 * the program is told which were not kept (include/handspan.h). One mapping, a
 * place for each open span of each lane; pages come as they are touched.
 */
#pragma once
#include "preload/call/record/span_internal.h"

/* Before the first is set. 0 or -errno. */
HIDDEN int attribute_room_start(void) __attribute__((warn_unused_result));
/* The bytes that the attributes of this span have; NULL: it is not open in this
 * lane, nothing can be said of it any more. [own thread, signal-safe] */
HIDDEN uint32_t *attribute_room_of(const struct lane *lane, uint64_t span);
