/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who branches where in an object, for the planner (shim/plan/image/image.h).
 * What was found in a large one is kept in DIR/branches-UID for the processes
 * to come: 20 ms for 100 MB, and nothing the next time.
 *
 * A kept file is believed where it is ours alone, whole, written by this very
 * build of ours, and for this very file of the object (build id, size, times,
 * inode), which was mapped as it is: no relocation of its text. Else one looks.
 */
#pragma once
#include "preload/objects/modules.h"

/* Before the first function of it is planned, and before its text is changed.
 * Without memory nothing of it is patched, and the reason is told. */
HIDDEN void module_find_branches(struct module *module, uint64_t vaddr);
HIDDEN void module_drop_branches(struct module *module);
