/* SPDX-License-Identifier: Apache-2.0 */
/* What both ways to patch an entry share: patch.c, live.c. */
#pragma once
#include "shim/shim.h"
#include "shim/plan/plan.h"

/* jmp *target, with the target behind it. */
void shim_make_jump_through_memory(uint8_t out[SHIM_ISLAND_COPY],
                                   uint64_t target);
/* jmp rel32 that stands at `at`. -ERANGE: too far. */
int shim_make_jump(uint8_t out[PLAN_PATCH_BYTES], uint64_t at, uint64_t target)
    __attribute__((warn_unused_result));
/* Is the text as it was planned? Then fill the island: a jump to `stub`, the
 * relocated copy. 0 or -errno as shim_patch_apply(). */
int shim_island_fill(const struct plan_patch *patch, uint64_t island,
                     uint64_t stub) __attribute__((warn_unused_result));

/*
 * Pads: a jump of five bytes whose distance must hold certain bytes leads to
 * one (pad.c). `mask`: the bits of the distance that must be `value`; any of
 * several will do, the first is preferred. The pad's 16 bytes are zero, to be
 * written before another one is taken. Not `is_live`: at the start, in nobody's
 * way. -ENOSPC: there is no such place.
 */
enum {
    SHIM_PUNS_MAX = 18,
    SHIM_POOL_BYTES = 64 * 1024
};
struct shim_pun {
    uint32_t mask, value;
};
struct shim_puns {
    uint32_t count;
    struct shim_pun at[SHIM_PUNS_MAX];
};
int shim_pad_take(const struct plan_patch *patch, const struct shim_puns *puns,
                  bool is_live, uint64_t *at)
    __attribute__((warn_unused_result));
/* None is taken any more from a page that has some. */
void shim_pad_seal(void);
