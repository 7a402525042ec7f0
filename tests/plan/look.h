/* SPDX-License-Identifier: Apache-2.0 */
/* For tests that plan functions of an image: who branches where. */
#pragma once
#include "shim/plan/image/image.h"

#include <stdlib.h>

/* NULL: there is no code to look at. The caller frees it after the image was
 * used. */
static inline void *look_for_branches(struct plan_image *image)
{
    size_t bytes = plan_image_branches_bytes(image);
    void *memory = bytes ? calloc(1, bytes) : NULL;
    if (memory)
        (void)plan_image_find_branches(image, memory);
    return memory;
}
