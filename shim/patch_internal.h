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
