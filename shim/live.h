/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An entry patch while other threads run.
 *
 * The jump's target is chosen such that each byte of its distance that lies
 * where an original instruction began is 0xCC: who stood there traps, and the
 * trap's handler sends it on into the relocated copy. Nobody is observed,
 * signalled or stopped; what a thread that sleeps in the old bytes for an hour
 * meets is the same trap. Nothing that was made is ever given back.
 */
#pragma once
#include "shim/shim.h"
#include <stdbool.h>
#include <stdint.h>

/* Can this process have its cores synchronised? 0, or -errno of membarrier.
 * After a fork anew. */
int shim_live_start(void) __attribute__((warn_unused_result));

/*
 * Like shim_patch_apply(), but text may be executed meanwhile, by threads that
 * do not block SIGTRAP, and its handler asks shim_live_target(). One caller at
 * a time, between shim_text_open() and shim_text_close(). -ENOSPC: there is
 * no place that the jump could lead to, or no room in the table.
 */
int shim_live_apply(const struct plan_patch *patch, uint64_t island,
                    uint64_t stub) __attribute__((warn_unused_result));

/* Where a thread goes on that trapped at `address`; 0: not ours.
 * [signal-safe, any thread] */
uint64_t shim_live_target(uint64_t address);

/* [low, high) is not mapped any more: its traps are nobody's. */
void shim_live_forget(uint64_t low, uint64_t high);
