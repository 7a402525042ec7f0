/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making this process's session.
 */
#pragma once
#include "preload/settings/config.h"

/* Create the session file and fill in what describes this process: process 0,
 * context 0 (its trace), the first anchor; its file has most_bytes at most. 0,
 * and runtime.map is set; or -errno. [constructor] */
HIDDEN int session_start(uint32_t manifest_errors, uint64_t most_bytes)
    __attribute__((warn_unused_result));
