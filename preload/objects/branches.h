/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who branches where in an object, for the planner (shim/plan/image/image.h).
 * What was found in a large one is kept in DIR/branches-UID for the processes
 * to come: 20 ms for 100 MB, and nothing the next time.
 * Files of what is kept: kept.h.
 */
#pragma once
#include "preload/objects/modules.h"

/* Before the first function of it is planned, and before its text is changed.
 * Without memory nothing of it is patched, and the reason is told. */
HIDDEN void module_find_branches(struct module *module, uint64_t vaddr);
/* The object's file as an image, where its code is mapped as the file has it,
 * whatever was done to it in memory since; false: it is not, or there is none.
 */
HIDDEN bool module_take_file(struct module *module, struct plan_image *file);
HIDDEN void module_drop_branches(struct module *module);
