/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the program's memory without ever faulting. On the path of a call:
 * no libc, no vector register, errno is kept, 300 bytes of stack.
 *
 * (1) What lies in a range that stays mapped is copied: the part of this
 * thread's stack above the stack pointer, and the segments of the objects
 * that were there at the start. (2) So is what lies in a page that was
 * readable a moment ago, where that is allowed (read_pages.h). (3) Anything
 * else goes through process_vm_readv() on ourselves, a system call per read.
 *
 * Every load of (1) and (2) is one that our signal entry can leave: also a
 * program that takes a segment of its own away meets no fault of ours while
 * the entry stands.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "preload/call/memory/read_guard.h"

enum {
    READ_RANGE_MAX = 1024,
    READ_SERVED_MAX = 64,
};

struct reader {
    uint32_t pid;                   /* ours, as the kernel calls it */
    uint64_t stack_low, stack_high; /* may be copied from; 0: none */
};

/* A reader for this thread: `low` and `high` are its stack as the lane knows
 * it (0 if not); used only while the stack pointer is inside. */
READ_HIDDEN void reader_start(struct reader *reader, uint32_t pid, uint64_t low,
                              uint64_t high);

/* Copy up to n bytes from addr; the bytes that could be read from the start
 * on, 0 to n. [any thread, signal-safe] */
READ_HIDDEN size_t read_bytes(const struct reader *reader, void *dst,
                              uint64_t addr, size_t n);

/* The same by the kernel alone: the memory may be what faulted just now. */
READ_HIDDEN size_t read_by_kernel(uint32_t pid, void *dst, uint64_t addr,
                                  size_t n);

/* The same for a text: its bytes before the NUL, at most n. `end` says what
 * follows them. May write all of dst's n bytes. */
READ_HIDDEN struct read_part read_text(const struct reader *reader, void *dst,
                                       uint64_t addr, size_t n);

/* The same where nothing has to be asked and all of it is there: the text's
 * bytes, at most n - 1 of them, and its NUL. Its length; SIZE_MAX: read_text()
 * it is. `low`, `high`: this thread's stack, as for reader_start(). */
READ_HIDDEN size_t read_known_text(uint64_t low, uint64_t high, void *dst,
                                   uint64_t addr, size_t n);

/* Memory that stays readable. Rounded to whole pages by the caller or not;
 * neighbours become one. 0 or -ENOSPC. [before the first call is traced, or
 * in one thread] */
READ_HIDDEN int read_add_range(uint64_t low, uint64_t high)
    __attribute__((warn_unused_result));
/* Forget every range that touches [low, high): before it is unmapped. */
READ_HIDDEN void read_drop_range(uint64_t low, uint64_t high);

/* Memory whose faults the program serves itself (userfaultfd): whoever reads
 * there waits for a thread that may be the reader. Unreadable from now on.
 * -ENOSPC: too many, nothing was noted. [any thread, signal-safe] */
READ_HIDDEN int read_add_served(uint64_t low, uint64_t high)
    __attribute__((warn_unused_result));
/* It serves [low, high) no more. */
READ_HIDDEN void read_drop_served(uint64_t low, uint64_t high);

/* Never make a system call again: what is not in a range is unreadable. For
 * processes under a seccomp filter. */
READ_HIDDEN void read_forbid_syscalls(void);
READ_HIDDEN bool read_is_forbidden(void);

/* rep movsb: libc's memcpy would use vector registers, which still hold the
 * program's values. */
static inline void read_copy(void *dst, const void *src, size_t n)
{
    __asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
}
