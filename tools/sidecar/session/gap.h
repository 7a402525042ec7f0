/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store that knows less of a session than was given back to its lanes: it was
 * deleted, put back from an older copy, or lost its last moments with the
 * machine. What still stands in the lanes is read; what does not is counted.
 */
#pragma once
#include "tools/sidecar/session/session.h"

/* Where a lane is read, nothing stands any more: go to the first item that is
 * there. 0 or -errno. */
int gap_skip(struct session *s, uint32_t lane)
    __attribute__((warn_unused_result));
/* At the session's end, when all is read: the loss `lost_store`, the calls that
 * began in its lanes and are nowhere. 0 or -errno. */
int gap_count(struct session *s) __attribute__((warn_unused_result));
