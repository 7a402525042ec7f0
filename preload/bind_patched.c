/* SPDX-License-Identifier: Apache-2.0 */
/* See bind_patched.h. */
#include "preload/bind_patched.h"
#include <string.h>

struct patched {
    uint64_t at; /* of the jump; 0: free */
    uint8_t original[PLAN_PATCH_BYTES];
};
static struct patched patches[SHIM_SITE_MAX];
static uint32_t patch_count;

/* For plan_image.restore. Few plans are made after the first entry of an
 * object was changed. */
static void restore(const struct plan_image *image, uint64_t vaddr,
                    uint8_t *bytes, uint64_t n)
{
    uint64_t low = image->base + vaddr;
    for (uint32_t i = 0; i < patch_count; i++) {
        const struct patched *patch = &patches[i];
        for (uint64_t k = 0; k < PLAN_PATCH_BYTES; k++) {
            if (patch->at != 0 && patch->at + k - low < n)
                bytes[patch->at + k - low] = patch->original[k];
        }
    }
}

void bind_patched_add(const struct work *work)
{
    uint32_t i = 0;
    while (i < patch_count && patches[i].at != 0)
        i++;
    if (i == SHIM_SITE_MAX)
        return; /* there are no more sites than that */
    patches[i].at = work->patch.patch_at;
    memcpy(patches[i].original, work->patch.original, PLAN_PATCH_BYTES);
    patch_count += i == patch_count;
    work->module->image.restore = restore;
}

void bind_patched_forget(uint64_t low, uint64_t high)
{
    for (uint32_t i = 0; i < patch_count; i++) {
        if (patches[i].at >= low && patches[i].at < high)
            patches[i].at = 0;
    }
}
