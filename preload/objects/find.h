/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of this process, as the search for a declaration's functions
 * (bind/find.h) sees them.
 */
#pragma once
#include "bind/find.h"
#include "preload/objects/modules.h"

/* Those of one generation; 0: all that are loaded. Object number i is
 * modules.at[i]. */
HIDDEN void find_world(struct bind_world *world, uint32_t generation);
