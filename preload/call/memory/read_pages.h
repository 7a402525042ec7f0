/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pages that this thread found readable a moment ago: they are copied
 * from without asking the kernel again (10 ns instead of 2 us). The page may
 * vanish meanwhile, so each load is one that our SIGSEGV and SIGBUS entry
 * knows how to leave (read_guard.h).
 *
 * Off until read_pages_enable(). It may be on only while
 *  - what the kernel calls for both signals calls read_fix_fault() first, and
 *    is called for the next one as well;
 *  - rdtsc may be executed.
 * A page is trusted for about 40 ms and is never learned while the thread
 * blocks one of the signals: then a fault would kill. A handler of the program
 * for one of them knows of none (read_pages_drop). What remains is a thread
 * that blocks them within those 40 ms *and* whose page goes away in them.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READ_HIDDEN __attribute__((visibility("hidden")))

/* Does what the kernel calls, with these flags (SA_...), repair our copies? */
typedef bool read_pages_repairs(uint64_t handler, uint64_t flags);
/* `repairs` is asked with each page that is learned, for both signals (a
 * program may install its own behind libc's back); NULL: off. [any thread,
 * signal-safe]
 */
READ_HIDDEN void read_pages_enable(read_pages_repairs *repairs);
/* This thread knows of no page. [own thread, signal-safe] */
READ_HIDDEN void read_pages_drop(void);
/*
 * First thing in the signal entry: if the fault is ours, set *rip to where the
 * copy gives up and return true; the entry then returns at once. Only for
 * signals that the kernel sent for a fault (si_code > 0). [signal-safe]
 */
READ_HIDDEN bool read_fix_fault(uint64_t *rip);

/* How many of the n bytes at addr are known to be readable, from the start on
 * and up to the page's end; 0: not known. [signal-safe] */
READ_HIDDEN size_t read_pages_find(uint64_t addr, size_t n);
/* It is not there any more. [signal-safe] */
READ_HIDDEN void read_pages_forget(uint64_t addr);
/* The kernel just read [addr, addr + n). [signal-safe] */
READ_HIDDEN void read_pages_learn(uint64_t addr, size_t n);

/* From now on this thread's cache is the one of `number`, which no other living
 * thread uses (the lane's index); one that is too large: it has none. */
READ_HIDDEN void read_pages_use(uint32_t number);
