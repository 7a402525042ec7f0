/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See read_pages.h. The cache is direct-mapped and per thread; an entry is one
 * word (page number, time), so a signal handler that comes between sees either
 * the old or the new one.
 */
#include "preload/read_pages.h"

#include <asm/unistd.h>
#include <signal.h>

enum {
    PAGE = 4096,
    PAGE_SHIFT = 12,
    ENTRIES = 64
};
enum {
    STAMP_BITS = 28,
    STAMP_SHIFT = 24, /* of ticks: about 5 ms */
    STAMP_MAX_AGE = 7,
};

static bool is_enabled;
static __thread uint64_t pages[ENTRIES]
    __attribute__((tls_model("initial-exec")));

/*
 * size_t read_guarded_copy(void *dst, const void *src, size_t n): the bytes
 * that could not be copied. A fault leaves the count in rcx; the entry of the
 * signal moves rip from read_guard_begin to read_guard_end.
 */
__asm__(".text\n"
        ".hidden read_guard_begin, read_guard_end, read_guarded_copy\n"
        ".globl read_guard_begin, read_guard_end, read_guarded_copy\n"
        ".type read_guarded_copy, @function\n"
        "read_guarded_copy:\n"
        ".cfi_startproc\n"
        "endbr64\n"
        "mov %rdx, %rcx\n"
        "read_guard_begin:\n"
        "rep movsb\n"
        "read_guard_end:\n"
        "mov %rcx, %rax\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size read_guarded_copy, . - read_guarded_copy\n");
READ_HIDDEN size_t read_guarded_copy(void *dst, const void *src, size_t n);
extern READ_HIDDEN const char read_guard_begin[], read_guard_end[];

void read_pages_enable(bool enable)
{
    __atomic_store_n(&is_enabled, enable, __ATOMIC_RELAXED);
}

bool read_fix_fault(uint64_t *rip)
{
    if (*rip != (uint64_t)(uintptr_t)read_guard_begin)
        return false;
    *rip = (uint64_t)(uintptr_t)read_guard_end;
    return true;
}

static uint64_t stamp_now(void)
{
    return (__builtin_ia32_rdtsc() >> STAMP_SHIFT) &
           (((uint64_t)1 << STAMP_BITS) - 1);
}

static bool is_known(uint64_t page, uint64_t now)
{
    uint64_t entry = pages[page % ENTRIES];
    uint64_t age = (now - entry) & (((uint64_t)1 << STAMP_BITS) - 1);
    return entry >> STAMP_BITS == page && age <= STAMP_MAX_AGE;
}

size_t read_pages_copy(void *dst, uint64_t addr, size_t n, bool *faulted)
{
    size_t done = 0;
    if (!__atomic_load_n(&is_enabled, __ATOMIC_RELAXED))
        return 0;
    uint64_t now = stamp_now();
    while (done < n) {
        uint64_t at = addr + done, page = at >> PAGE_SHIFT;
        size_t len = n - done, room = PAGE - at % PAGE;
        if (!is_known(page, now))
            break;
        if (len > room)
            len = room;
        size_t left = read_guarded_copy((uint8_t *)dst + done,
                                        (const void *)(uintptr_t)at, len);
        done += len - left;
        if (left) {
            pages[page % ENTRIES] = 0;
            *faulted = true;
            break;
        }
    }
    return done;
}

/* A fault in a thread that blocks its signal kills the process. */
static bool signals_are_blocked(void)
{
    uint64_t mask = 0;
    uint64_t both = (uint64_t)1 << (SIGSEGV - 1) | (uint64_t)1 << (SIGBUS - 1);
    register long r10 __asm__("r10") = sizeof(mask);
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)__NR_rt_sigprocmask), "D"((long)SIG_BLOCK),
                       "S"(0L), "d"(&mask), "r"(r10)
                     : "rcx", "r11", "memory");
    return result != 0 || (mask & both);
}

void read_pages_learn(uint64_t addr, size_t n)
{
    if (n == 0 || !__atomic_load_n(&is_enabled, __ATOMIC_RELAXED) ||
        signals_are_blocked())
        return;
    uint64_t now = stamp_now(), last = (addr + n - 1) >> PAGE_SHIFT;
    for (uint64_t page = addr >> PAGE_SHIFT; page <= last; page++)
        pages[page % ENTRIES] = page << STAMP_BITS | now;
}
