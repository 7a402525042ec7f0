/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a register held when a function was entered, as its caller's call site
 * tells it (DW_TAG_call_site): arguments that an optimized function did not
 * keep.
 */
#pragma once
#include "tools/symbolize/location.h"

struct modules;
struct unwind_frame;

/* The frames above a frame, and what it takes to know them. */
struct entry_chain {
    struct modules *modules;
    const struct unwind_frame *above; /* its caller first */
    int count;
};
/* False: the call site does not tell, or may not be the one of this call. */
bool entry_value(const struct location_place *place, uint64_t number,
                 uint64_t *value);
