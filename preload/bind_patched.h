/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries that were changed: what stood there, for plans that come later, and
 * what must still stand there, for whoever wonders why there are no calls.
 * Under the loader's lock, or where one thread runs.
 */
#pragma once
#include "preload/bind_work.h"

/* After the entry was changed. */
HIDDEN void bind_patched_add(const struct work *work);
/* Of an object that is gone. */
HIDDEN void bind_patched_forget(uint64_t low, uint64_t high);
