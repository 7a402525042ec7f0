/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pages that this thread found readable a moment ago: they are copied
 * from without asking the kernel again (20 ns instead of 2 us). The page may
 * vanish meanwhile, so each copy is one instruction that our SIGSEGV and
 * SIGBUS entry knows how to leave.
 *
 * Off until read_pages_enable(true). It may be on only while
 *  - both entries are installed and call read_fix_fault() first, also where
 *    the program has handlers of its own;
 *  - rdtsc may be executed.
 * A page is trusted for about 40 ms and is never learned while the thread
 * blocks one of the signals: then a fault would kill. What remains is a thread
 * that blocks them within those 40 ms *and* whose page goes away in them.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READ_HIDDEN __attribute__((visibility("hidden")))

/* [any thread, signal-safe] */
READ_HIDDEN void read_pages_enable(bool enable);
/*
 * First thing in the signal entry: if the fault is ours, set *rip to where the
 * copy gives up and return true; the entry then returns at once. [signal-safe]
 */
READ_HIDDEN bool read_fix_fault(uint64_t *rip);

/* Copy from pages known to be readable, up to n; the bytes copied. *faulted:
 * the rest is not there. */
READ_HIDDEN size_t read_pages_copy(void *dst, uint64_t addr, size_t n,
                                   bool *faulted);
/* The kernel just read [addr, addr + n). */
READ_HIDDEN void read_pages_learn(uint64_t addr, size_t n);
