/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the writer needs of the CPU: syscalls that leave errno alone (they may
 * run inside a call of the program) and the tick counter.
 */
#pragma once
#include <stdint.h>

enum {
    MACHINE_ELF = 62, /* EM_X86_64 */
};

/* Linux x86-64 syscall: result or -errno; rcx and r11 are clobbered. */
static inline long machine_syscall(long number, long a, long b, long c, long d,
                                   long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
                       "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static inline uint64_t machine_ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}
