/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a thread of somebody else's process is now. Without a stop: what /proc
 * tells of a thread that waits (stack pointer, program counter, system call),
 * and its stack, read twice removed; a thread that runs has no place that could
 * be read. With a stop (ptrace, for less than a second whatever happens): all
 * registers, also of one that runs.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "lane/format/error_frames.h"

enum {
    LOOK_UNKNOWN = -2,    /* the system call is not known */
    LOOK_NO_SYSCALL = -1, /* in none: a page fault, say */
};
struct look {
    char state;      /* of proc(5): R, S, D, T ...; 0 unknown */
    char kernel[64]; /* function of the kernel that it waits in, or "" */
    int32_t syscall;
    uint64_t argument; /* the first of the call */
    bool was_stopped;
    const char *trouble; /* why there is no stack; NULL: there is */
    int32_t error;       /* errno of the trouble, 0: none */
    uint32_t known;      /* bit n: registers[n] is known */
    uint64_t registers[LANE_STACK_REGISTERS];
    uint64_t first_address; /* of `bytes` */
    uint32_t stack_bytes;
    bool is_truncated; /* the stack goes on above */
    uint8_t bytes[LANE_STACK_BYTES_MAX];
};
/*
 * Look at thread `tid` of process `pid` (numbers as we see them). Its stack
 * ends at `stack_high`, if its stack pointer lies from `stack_low` on; else it
 * is not known how far it goes. May take up to half a second with `may_stop`.
 */
void look_at(int32_t pid, int32_t tid, uint64_t stack_low, uint64_t stack_high,
             bool may_stop, struct look *out);
/* Bytes of a process's memory. False: not all of them. */
bool look_read(int32_t pid, uint64_t address, void *out, size_t len_bytes);
/* Our number of a thread that has `tid` in its own pid namespace; 0: none. */
int32_t look_find_thread(int32_t pid, uint32_t tid);
/* "read", or NULL. */
const char *look_syscall_name(int32_t number);
/* Is the first argument of this call a descriptor? */
bool look_takes_descriptor(int32_t number);
/* "waiting in read(4)", "running": where it is, in words. */
void look_place_text(const struct look *l, char *out, size_t cap_bytes);
