/* SPDX-License-Identifier: Apache-2.0 */
/* What the resolver of an ifunc chooses: this process has asked it already
 * where it runs the same object (the same build id: libc), on this CPU and with
 * these tunables. */
#pragma once
#include "shim/plan/image/image.h"

/* Address in `image` of what its ifunc `name` (in `version`, NULL: any) leads
 * to. -ENOENT: the object is none of this process, or leads elsewhere. */
int chosen_find(const struct plan_image *image, const char *name,
                const char *version, uint64_t *vaddr)
    __attribute__((warn_unused_result));
