/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries of a round: the addresses that its declarations mean, gathered
 * before the first one is planned, so that what the symbol tables say of them
 * is learned in one pass over each object (shim/plan/image.h). One that is
 * missing here costs a pass of its own, nothing else.
 */
#pragma once
#include "preload/modules.h"

HIDDEN void entries_add(const struct module *module, uint64_t vaddr);
HIDDEN uint32_t entries_count(void);
/* Forget all but the first `count`. [before they are learned] */
HIDDEN void entries_drop(uint32_t count);
HIDDEN void entries_learn(void);
/* The round is over: its memory is given back. */
HIDDEN void entries_forget(void);
