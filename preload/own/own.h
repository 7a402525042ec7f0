/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libc, as far as the preload needs one.
 *
 * In somebody else's process `open` may be the program's, a sanitizer's or
 * that of another preload, not ready before its own constructor, and `memcpy`
 * may be a handler that is traced. So libhandspan.so imports nothing (but the
 * loader's `_r_debug`, to find libc by): this folder has what it uses, under
 * libc's names and hidden. They are own copies, raw system calls, and for what
 * only libc can do the addresses that libc.so.6's own symbol table has.
 * Without DT_NEEDED and imports the preload can also be loaded below another
 * libc, where it does nothing.
 *
 * errno is a word of our own: what the preload does leaves the program's
 * alone. own_program_errno() has that one.
 *
 * What is not here does not link. Nothing of this folder is linked into the
 * tools and the tests' own programs.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link_map;

/* Find libc and its functions. False: the program's libc is none that we know,
 * and nothing must be done: not even the constructor's arguments are what
 * glibc makes them. Once, first of all. */
bool own_start(void) __attribute__((visibility("hidden")));

/* The loader's list, from the program on; NULL below another libc. Whoever
 * walks it is in a constructor, or told by the loader. After own_start(). */
const struct link_map *own_objects(void) __attribute__((visibility("hidden")));

/* In a child that says something of its maker: getpid() is `pid` from now on.
 * `otherwise`: what a filter may forbid is asked by other system calls, uid is
 * known. [in a child that shares no memory] */
void own_speak_for(int pid, bool otherwise, unsigned uid)
    __attribute__((visibility("hidden")));

/* Address of libc's own function `name`, 0: it has none. After own_start(). */
void *own_find(const char *name) __attribute__((visibility("hidden")));

/* The calling thread's errno, libc's. [any thread] */
int *own_program_errno(void) __attribute__((visibility("hidden")));

/* The lowest of this library and what we mapped in pieces of 64 KiB and more
 * that ends above `from`; false: there is none. [signal-safe] */
bool own_next_large(uint64_t from, uint64_t *low, uint64_t *high)
    __attribute__((visibility("hidden")));
