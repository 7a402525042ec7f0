/* SPDX-License-Identifier: Apache-2.0 */
/* A patch that was planned for one place, for another. */
#include "shim/plan/patch/patch_internal.h"
#include "shim/plan/plan.h"
#include <errno.h>
#include <string.h>

enum {
    PUSH_HIGH = 8, /* from the low half of the address that is pushed */
    HALF = 4
};

static bool is_in_order(const struct plan_patch *patch)
{
    uint32_t endbr = patch->has_endbr ? ENDBR_BYTES : 0;
    if (patch->copy_len > PLAN_COPY_MAX || patch->copy_len < endbr + 1 ||
        patch->displaced_bytes < PLAN_PATCH_BYTES ||
        patch->displaced_bytes + endbr > PATCH_WINDOW_MAX ||
        patch->boundary_count >= PLAN_PATCH_BYTES ||
        patch->field_count > PLAN_FIELDS_MAX)
        return false;
    for (uint32_t i = 0; i < patch->boundary_count; i++)
        if (patch->boundary[i].at == 0 ||
            patch->boundary[i].at >= PLAN_PATCH_BYTES ||
            patch->boundary[i].copy >= patch->copy_len)
            return false;
    for (uint32_t i = 0; i < patch->field_count; i++) {
        uint32_t at = patch->field[i].at, behind = patch->field[i].behind;
        uint32_t end = at + HALF + (behind ? 0 : PUSH_HIGH);
        if (end > patch->copy_len || (behind && behind < end) ||
            behind > patch->copy_len)
            return false;
    }
    return true;
}

static void reach(struct plan_patch *patch, uint64_t to)
{
    if (patch->reach_high == 0 || to < patch->reach_low)
        patch->reach_low = to;
    if (to > patch->reach_high)
        patch->reach_high = to;
}

int plan_patch_move(struct plan_patch *patch, uint64_t vaddr, uint64_t bias,
                    uint64_t copy_at)
{
    int err = 0;
    if (!is_in_order(patch))
        return -EINVAL;
    patch->entry = bias + vaddr;
    patch->patch_at = patch->entry + (patch->has_endbr ? ENDBR_BYTES : 0);
    patch->reach_low = patch->reach_high = 0;
    for (uint32_t i = 0; i < patch->field_count; i++) {
        const struct plan_field *field = &patch->field[i];
        uint64_t to = bias + field->vaddr;
        uint64_t word = field->behind ? to - (copy_at + field->behind) : to;
        uint32_t low = (uint32_t)word, high = (uint32_t)(word >> 32);
        memcpy(patch->copy + field->at, &low, HALF);
        if (!field->behind) {
            memcpy(patch->copy + field->at + PUSH_HIGH, &high, HALF);
            continue;
        }
        reach(patch, to);
        if ((int64_t)word != (int32_t)word)
            err = -ERANGE;
    }
    return err;
}
