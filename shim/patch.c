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
 *
 * Others may set a breakpoint on the entry later (a uprobe), and know the bytes
 * of the file alone: they put int3 over our first byte and one day the file's
 * byte, execute the file's first instruction, and go on behind it, amid our
 * jump. So the bytes of its distance are those of the first instruction, and
 * where that ends there is no instruction at all: SIGILL, whose handler goes on
 * in the copy. Such a jump leads to a pad (pad.c). Where there is no place for
 * one the jump is made all the same.
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

/* Never an instruction in 64-bit mode. Those that let the jump lead far down
 * come first; 0xce, 0xd4 and 0xea, which lead 352 to 800 MiB down, are left out
 * (FAR_DOWN in pad.c). */
static const uint8_t no_instruction[] = {0x82, 0x9a, 0x06, 0x07, 0x0e,
                                         0x16, 0x17, 0x1e, 0x1f, 0x27,
                                         0x2f, 0x37, 0x3f, 0x60, 0x61};
_Static_assert(sizeof(no_instruction) <= SHIM_PUNS_MAX, "one each");

static int take_pad(const struct plan_patch *patch, uint64_t *at)
{
    struct shim_puns puns = {0};
    uint32_t original, len = patch->boundary[0].at;
    memcpy(&original, patch->original + 1, sizeof(original));
    if (patch->boundary_count == 0) {
        puns.at[puns.count++] = (struct shim_pun){UINT32_MAX, original};
        return shim_pad_take(patch, &puns, false, at);
    }
    uint32_t shift = 8 * (len - 1), first = (UINT32_C(1) << shift) - 1;
    for (uint32_t i = 0; i < sizeof(no_instruction); i++) {
        puns.at[puns.count++] = (struct shim_pun){
            first | UINT32_C(0xff) << shift,
            (original & first) | (uint32_t)no_instruction[i] << shift};
    }
    return shim_pad_take(patch, &puns, false, at);
}

/* Where the entry jumps to. */
static uint64_t make_pad(const struct plan_patch *patch, uint64_t island,
                         uint64_t stub)
{
    uint8_t pad[SHIM_ISLAND_COPY];
    uint64_t at;
    shim_make_jump_through_memory(pad, stub);
    if (take_pad(patch, &at) != 0 ||
        shim_write_text(at, pad, sizeof(pad)) != 0 ||
        !is_text(at, pad, sizeof(pad)))
        return island;
    return at;
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
    (void)!shim_make_jump(jump, patch->patch_at, make_pad(patch, island, stub));
    err = shim_write_text(patch->patch_at, jump, sizeof(jump));
    if (err == 0 && is_text(patch->patch_at, jump, sizeof(jump)))
        return 0;
    /* half a jump must not stay */
    int undo =
        shim_write_text(patch->patch_at, patch->original, PLAN_PATCH_BYTES);
    return err ? err : undo ? undo : -EIO;
}
