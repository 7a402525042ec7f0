/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks that fibers and coroutines run on: where each lies and who made it,
 * learned when makecontext, make_fcontext or a function with stack(...) in the
 * manifest is called. Which stack a call stands on is then known from its
 * stack pointer, on whatever thread; a switch need not be seen.
 *
 * Memory of the process; a forked child keeps a copy, as it has the stacks.
 */
#pragma once
#include "preload/call/record/span_internal.h"

struct fiber;

/* Address space for what is known of them, before the first one is made: below
 * its stack nothing of ours may come to lie, it may be one that grows.
 * Where it was not called the first one does so. [signal-safe, any thread] */
HIDDEN void fiber_reserve(void);
/* A fiber will run on [low, high), made by a call at `sp`. What is still open
 * there was left behind. [signal-safe, any thread] */
HIDDEN void fiber_made(uint64_t low, uint64_t high, uint64_t sp);
/* The fiber whose stack holds `sp`, and its bounds; NULL: none. */
HIDDEN struct fiber *fiber_find(uint64_t sp, uint64_t *low, uint64_t *high);
/* What was open where it was made. */
HIDDEN struct span_place fiber_maker(const struct fiber *fiber);
/* We are the child of a fork that was called at `sp`: what this fiber does
 * from now on is its process's. */
HIDDEN void fiber_forked(uint64_t sp);
/* A span is opened on it, in this lane. */
HIDDEN void fiber_opens(uint64_t sp, const struct lane *lane);
/* The innermost entry that other lanes have open on its stack, at or above
 * `sp`. */
HIDDEN bool fiber_find_open(struct fiber *fiber, const struct lane *lane,
                            uint64_t sp, struct lane_open *out);
/* Internal sites on makecontext and make_fcontext, where the program has use
 * for them. [constructor, and after objects were loaded] */
HIDDEN void fiber_watch(bool only_new);
HIDDEN void fiber_makecontext(struct shim_call *call);
HIDDEN void fiber_make_fcontext(struct shim_call *call);
