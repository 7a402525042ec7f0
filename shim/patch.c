/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applying an entry patch that shim/plan decided on:
 *
 *   entry:   [endbr64] jmp island          island:  jmp *stub(%rip)
 *            rest of the function          +16:     relocated copy, then a
 *                                                   jump behind the patch
 *
 * The island is complete before the entry changes, and the entry changes by
 * one write of five bytes: for text that nobody executes meanwhile.
 */
#include "shim/patch_internal.h"
#include <errno.h>
#include <string.h>

_Static_assert(SHIM_ISLAND_BYTES == SHIM_ISLAND_COPY + PLAN_COPY_MAX,
               "room for the largest copy");

void shim_make_jump_through_memory(uint8_t out[SHIM_ISLAND_COPY],
                                   uint64_t target)
{
    static const uint8_t jump[6] = {0xff, 0x25, 0, 0, 0, 0};
    memset(out, 0xcc, SHIM_ISLAND_COPY);
    memcpy(out, jump, sizeof(jump));
    memcpy(out + sizeof(jump), &target, sizeof(target));
}

int shim_make_jump(uint8_t out[PLAN_PATCH_BYTES], uint64_t at, uint64_t target)
{
    int64_t distance = (int64_t)(target - (at + PLAN_PATCH_BYTES));
    if (distance != (int32_t)distance)
        return -ERANGE;
    uint32_t field = (uint32_t)distance;
    out[0] = 0xe9;
    memcpy(out + 1, &field, sizeof(field));
    return 0;
}

static bool is_text(uint64_t at, const void *bytes, size_t len)
{
    return memcmp((const void *)at, bytes, len) == 0;
}

int shim_island_fill(const struct plan_patch *patch, uint64_t island,
                     uint64_t stub)
{
    uint8_t head[SHIM_ISLAND_BYTES];
    if (patch->copy_len == 0 || patch->copy_len > PLAN_COPY_MAX)
        return -EINVAL;
    if (!is_text(patch->patch_at, patch->original, PLAN_PATCH_BYTES))
        return -EAGAIN;
    shim_make_jump_through_memory(head, stub);
    memcpy(head + SHIM_ISLAND_COPY, patch->copy, patch->copy_len);
    size_t len = SHIM_ISLAND_COPY + patch->copy_len;
    int err = shim_write_text(island, head, len);
    if (err)
        return err;
    return is_text(island, head, len) ? 0 : -EIO;
}

int shim_patch_apply(const struct plan_patch *patch, uint64_t island,
                     uint64_t stub)
{
    uint8_t jump[PLAN_PATCH_BYTES];
    int err = shim_make_jump(jump, patch->patch_at, island);
    if (err == 0)
        err = shim_island_fill(patch, island, stub);
    if (err)
        return err;
    err = shim_write_text(patch->patch_at, jump, sizeof(jump));
    if (err == 0 && is_text(patch->patch_at, jump, sizeof(jump)))
        return 0;
    /* half a jump must not stay */
    int undo =
        shim_write_text(patch->patch_at, patch->original, PLAN_PATCH_BYTES);
    return err ? err : undo ? undo : -EIO;
}
