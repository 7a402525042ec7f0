/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who binds after the start: the loader's notification and registrations of
 * callbacks, one at a time.
 */
#pragma once
#include "preload/call/record/runtime.h"

struct bind_hold {
    uint64_t mask; /* the thread's blocked signals before */
    int cancel_state;
};
/* All signals are blocked and the thread cannot be cancelled until unlock: a
 * handler of the program never finds a lock that its own thread holds. False:
 * it was held at a fork by a thread that the child does not have, or for ten
 * seconds; nothing is bound then. */
HIDDEN bool bind_lock(struct bind_hold *hold)
    __attribute__((warn_unused_result));
/* The same for who cannot wait: false, too, while somebody has it. */
HIDDEN bool bind_lock_now(struct bind_hold *hold)
    __attribute__((warn_unused_result));
HIDDEN void bind_unlock(const struct bind_hold *hold);
