/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries that were changed: what stood there, for plans that come later, and
 * what must still stand there, or there are calls that nobody sees.
 */
#pragma once
#include "preload/bind/bind_work.h"

/* After the entry was changed. Under the loader's lock, or with one thread. */
HIDDEN void bind_patched_add(const struct work *work);
/* The place in the function that an instruction at `pc` was moved from, where
 * `pc` is in such a copy; else `pc`. [signal-safe] */
HIDDEN uint64_t bind_patched_place(uint64_t pc);
/* A breakpoint of others stands on the entry, or did, and its first instruction
 * was executed elsewhere: where a thread goes on that met no instruction at
 * `pc`, amid our jump; 0: not ours. [signal-safe] */
HIDDEN uint64_t bind_patched_after(uint64_t pc);
/* Of an object that is gone. As bind_patched_add(). */
HIDDEN void bind_patched_forget(uint64_t low, uint64_t high);
/* Tell the session of each entry that somebody changed since. Holding the lock
 * of bind_lock.h. */
HIDDEN void bind_patched_compare(void);
