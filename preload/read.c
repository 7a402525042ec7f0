/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See read.h. The table of ranges is written by few (under the loader's lock)
 * and read by all without a lock: an entry is published by its `high` word,
 * and taken back by setting it to 0 before the memory goes away.
 */
#include "preload/read.h"
#include "preload/read_pages.h"

#include <asm/unistd.h>
#include <errno.h>
#include <sys/uio.h>

enum {
    PAGE = 4096,
    VECTORS = 8
};

struct range {
    uint64_t low, high; /* high 0: free */
};
static struct range ranges[READ_RANGE_MAX];
static uint32_t range_count; /* entries ever used */
static uint32_t last_hit;    /* a hint, any value is right */
static bool is_forbidden;

static long process_vm_readv_raw(uint32_t pid, const struct iovec *to,
                                 const struct iovec *from, long from_count)
{
    register long r10 __asm__("r10") = (long)from;
    register long r8 __asm__("r8") = from_count;
    register long r9 __asm__("r9") = 0;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)__NR_process_vm_readv), "D"((long)pid),
                       "S"(to), "d"(1L), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

void reader_start(struct reader *reader, uint32_t pid, uint64_t low,
                  uint64_t high)
{
    uint64_t sp = (uint64_t)(uintptr_t)__builtin_frame_address(0);
    bool inside = sp >= low && sp < high;
    reader->pid = pid;
    /* Below sp the stack may not be mapped yet. */
    reader->stack_low = inside ? sp : 0;
    reader->stack_high = inside ? high : 0;
}

/* Bytes from addr on that lie in [low, high), at most n. */
static size_t inside(uint64_t low, uint64_t high, uint64_t addr, size_t n)
{
    if (addr < low || addr >= high)
        return 0;
    return high - addr < n ? (size_t)(high - addr) : n;
}

static size_t find_range(uint64_t addr, size_t n)
{
    uint32_t count = __atomic_load_n(&range_count, __ATOMIC_ACQUIRE);
    uint32_t hint = __atomic_load_n(&last_hit, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i <= count; i++) {
        uint32_t at = i == 0 ? hint : i - 1;
        if (at >= count)
            continue;
        /* acquire; pairs with the release of read_add_range() */
        uint64_t high = __atomic_load_n(&ranges[at].high, __ATOMIC_ACQUIRE);
        uint64_t low = __atomic_load_n(&ranges[at].low, __ATOMIC_RELAXED);
        size_t got = high ? inside(low, high, addr, n) : 0;
        if (got) {
            if (i)
                __atomic_store_n(&last_hit, at, __ATOMIC_RELAXED);
            return got;
        }
    }
    return 0;
}

/* One vector a page: the kernel stops at the first that it cannot read. */
static size_t read_system(const struct reader *reader, uint8_t *dst,
                          uint64_t addr, size_t n)
{
    size_t done = 0;
    while (done < n) {
        struct iovec from[VECTORS], to = {dst + done, 0};
        long count = 0;
        for (; count < VECTORS && done + to.iov_len < n; count++) {
            uint64_t at = addr + done + to.iov_len;
            size_t len = n - done - to.iov_len, room = PAGE - at % PAGE;
            if (len > room)
                len = room;
            from[count].iov_base = (void *)(uintptr_t)at;
            from[count].iov_len = len;
            to.iov_len += len;
        }
        long got = process_vm_readv_raw(reader->pid, &to, from, count);
        if (got <= 0)
            break;
        done += (size_t)got;
        if ((size_t)got < to.iov_len)
            break;
    }
    return done;
}

/* What is in no range: pages seen a moment ago, else the kernel. */
static size_t read_elsewhere(const struct reader *reader, uint8_t *dst,
                             uint64_t addr, size_t n)
{
    bool faulted = false;
    size_t known = read_pages_copy(dst, addr, n, &faulted);
    if (known == n || faulted ||
        __atomic_load_n(&is_forbidden, __ATOMIC_RELAXED))
        return known;
    size_t got = read_system(reader, dst + known, addr + known, n - known);
    read_pages_learn(addr + known, got);
    return known + got;
}

size_t read_bytes(const struct reader *reader, void *dst, uint64_t addr,
                  size_t n)
{
    /* The last byte of user space; also keeps addr + n from wrapping. */
    uint64_t end = 0x7fffffffffff;
    if (addr < PAGE || addr >= end)
        return 0;
    if (n > end - addr)
        n = (size_t)(end - addr);
    size_t direct = inside(reader->stack_low, reader->stack_high, addr, n);
    if (!direct)
        direct = find_range(addr, n);
    if (direct) {
        read_copy(dst, (const void *)(uintptr_t)addr, direct);
        if (direct == n)
            return n;
    }
    return direct + read_elsewhere(reader, (uint8_t *)dst + direct,
                                   addr + direct, n - direct);
}

int read_add_range(uint64_t low, uint64_t high)
{
    uint32_t at = 0;
    while (at < range_count && ranges[at].high)
        at++;
    if (low >= high)
        return 0;
    if (at == READ_RANGE_MAX)
        return -ENOSPC;
    __atomic_store_n(&ranges[at].low, low, __ATOMIC_RELAXED);
    /* release; pairs with find_range() */
    __atomic_store_n(&ranges[at].high, high, __ATOMIC_RELEASE);
    if (at == range_count)
        __atomic_store_n(&range_count, at + 1, __ATOMIC_RELEASE);
    return 0;
}

void read_drop_range(uint64_t low, uint64_t high)
{
    for (uint32_t i = 0; i < range_count; i++)
        if (ranges[i].high && ranges[i].low < high && low < ranges[i].high)
            __atomic_store_n(&ranges[i].high, 0, __ATOMIC_SEQ_CST);
}

void read_forbid_syscalls(void)
{
    __atomic_store_n(&is_forbidden, true, __ATOMIC_RELAXED);
}
