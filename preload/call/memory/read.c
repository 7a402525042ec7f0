/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See read.h. The table of ranges is sorted and made before anybody reads it;
 * later an entry can only be emptied, by its `len` word.
 */
#include "preload/call/memory/read.h"
#include "shim/checker.h"
#include "preload/call/memory/read_pages.h"
#include "lane/format/assert.h"

#include <asm/unistd.h>
#include <errno.h>
#include <sys/uio.h>

enum {
    PAGE = 4096,
    VECTORS = 8
};

struct range {
    uint64_t low, len; /* len 0: dropped */
};
static struct range ranges[READ_RANGE_MAX];
static uint32_t range_count;
static __thread uint32_t last_range
    __attribute__((tls_model("initial-exec"))); /* a hint: any value is right */
static bool is_forbidden;
static struct range served[READ_SERVED_MAX]; /* len 0: free */
static bool has_served;

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

static inline void reader_set_stack(struct reader *reader, uint64_t low,
                                    uint64_t high)
{
    uint64_t sp = (uint64_t)(uintptr_t)__builtin_frame_address(0);
    bool inside = sp >= low && sp < high;
    /* Below sp the stack may not be mapped yet. */
    reader->stack_low = inside ? sp : 0;
    reader->stack_high = inside ? high : 0;
}

void reader_start(struct reader *reader, uint32_t pid, uint64_t low,
                  uint64_t high)
{
    lane_assert(low <= high && pid != 0);
    reader->pid = pid;
    reader_set_stack(reader, low, high);
}

/* Bytes from addr on that lie in [low, low + len), at most n. */
static inline size_t inside(uint64_t low, uint64_t len, uint64_t addr, size_t n)
{
    uint64_t offset = addr - low;
    if (offset >= len)
        return 0;
    return len - offset < n ? (size_t)(len - offset) : n;
}

static inline size_t inside_range(uint32_t index, uint64_t addr, size_t n)
{
    lane_assert(index < READ_RANGE_MAX);
    const struct range *range = &ranges[index];
    return inside(range->low, __atomic_load_n(&range->len, __ATOMIC_RELAXED),
                  addr, n);
}

static size_t find_range(uint64_t addr, size_t n)
{
    uint32_t low = 0, high = range_count;
    while (high - low > 1) { /* the last one that begins at or before addr */
        uint32_t mid = low + (high - low) / 2;
        if (ranges[mid].low <= addr)
            low = mid;
        else
            high = mid;
    }
    size_t got = inside_range(low, addr, n);
    if (got)
        last_range = low;
    return got;
}

/* How many of the n bytes at addr may be copied without asking; 0: ask. */
static inline size_t find_known(const struct reader *reader, uint64_t addr,
                                size_t n)
{
    size_t got = inside(reader->stack_low,
                        reader->stack_high - reader->stack_low, addr, n);
    if (got || (got = inside_range(last_range, addr, n)) ||
        (got = read_pages_find(addr, n)))
        return got;
    return find_range(addr, n);
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

/* How many of the n bytes at addr come before what the program serves. */
static size_t not_served(uint64_t addr, size_t n)
{
    if (!__atomic_load_n(&has_served, __ATOMIC_RELAXED))
        return n;
    for (uint32_t i = 0; i < READ_SERVED_MAX; i++) {
        const struct range *range = &served[i];
        /* acquire; pairs with read_add_served() */
        uint64_t len = __atomic_load_n(&range->len, __ATOMIC_ACQUIRE);
        if (inside(range->low, len, addr, 1))
            return 0;
        if (len && range->low - addr < n)
            n = (size_t)(range->low - addr);
    }
    return n;
}

/* 0: nothing can be read there. */
static size_t may_ask(uint64_t addr, size_t n)
{
    return __atomic_load_n(&is_forbidden, __ATOMIC_RELAXED)
               ? 0
               : not_served(addr, n);
}

size_t read_by_kernel(uint32_t pid, void *dst, uint64_t addr, size_t n)
{
    const struct reader reader = {.pid = pid};
    return read_system(&reader, dst, addr, may_ask(addr, n));
}

/* What is not known is read by the kernel, and known for a while. */
static size_t ask(const struct reader *reader, void *dst, uint64_t addr,
                  size_t n)
{
    size_t got = read_system(reader, dst, addr, may_ask(addr, n));
    read_pages_learn(addr, got);
    return got;
}

/* How much of [addr, addr + n) may be there at all. */
static inline size_t clamp(uint64_t addr, size_t n)
{
    /* the last byte of user space; also keeps addr + n from wrapping */
    uint64_t end = 0x7fffffffffff;
    if (addr < PAGE || addr >= end)
        return 0;
    return n > end - addr ? (size_t)(end - addr) : n;
}

/* The program need not have written there, and a text ends where its page
 * may. */
static size_t copy_known(uint8_t *to, uint64_t at, size_t n)
{
    checker_be_quiet();
    size_t got = read_guarded_copy(to, (const void *)(uintptr_t)at, n);
    checker_go_on();
    checker_is_written(to, got);
    return got;
}

static struct read_part copy_known_text(uint8_t *to, uint64_t at, size_t n)
{
    checker_be_quiet();
    struct read_part part =
        read_guarded_text(to, (const void *)(uintptr_t)at, n);
    checker_go_on();
    checker_is_written(&part, sizeof(part));
    checker_is_written(to, part.len);
    return part;
}

size_t read_bytes(const struct reader *reader, void *dst, uint64_t addr,
                  size_t n)
{
    lane_assert(n == 0 || dst != NULL);
    size_t done = 0;
    n = clamp(addr, n);
    while (done < n) {
        uint8_t *to = (uint8_t *)dst + done;
        uint64_t at = addr + done;
        size_t known = find_known(reader, at, n - done);
        if (known == 0)
            return done + ask(reader, to, at, n - done);
        size_t got = copy_known(to, at, known);
        done += got;
        if (got < known) {
            read_pages_forget(at + got);
            break;
        }
    }
    return done;
}

struct read_part read_text(const struct reader *reader, void *dst,
                           uint64_t addr, size_t n)
{
    lane_assert(n == 0 || dst != NULL);
    struct read_part part = {0, READ_FULL};
    size_t done = 0, most = clamp(addr, n);
    while (done < most && part.end == READ_FULL) {
        uint8_t *to = (uint8_t *)dst + done;
        uint64_t at = addr + done;
        size_t known = find_known(reader, at, most - done);
        if (known) {
            part = copy_known_text(to, at, known);
            if (part.end == READ_FAULTED)
                read_pages_forget(at + part.len);
        } else {
            size_t got = ask(reader, to, at, most - done);
            part = copy_known_text(to, (uint64_t)(uintptr_t)to, got);
            if (part.end == READ_FULL && got < most - done)
                part.end = READ_FAULTED;
        }
        done += part.len;
    }
    if (part.end == READ_FULL && done < n)
        part.end = READ_FAULTED;
    part.len = done;
    return part;
}

/* Apart: it needs more registers than what is found at once. */
static size_t __attribute__((noinline))
find_elsewhere(uint64_t low, uint64_t high, uint64_t addr, size_t n)
{
    struct reader reader;
    reader_set_stack(&reader, low, high);
    return find_known(&reader, addr, n);
}

size_t read_known_text(uint64_t low, uint64_t high, void *dst, uint64_t addr,
                       size_t n)
{
    lane_assert(low <= high && dst != NULL);
    size_t known = inside_range(last_range, addr, n);
    if (__builtin_expect(known == 0, 0))
        known = find_elsewhere(low, high, addr, n);
    if (__builtin_expect(known == 0, 0))
        return SIZE_MAX;
    struct read_part part =
        __builtin_expect(checker_watches, 0)
            ? copy_known_text(dst, addr, known)
            : read_guarded_text(dst, (const void *)(uintptr_t)addr, known);
    return part.end == READ_NUL ? part.len : SIZE_MAX;
}

/* ---- ranges ----------------------------------------------------------- */

static void remove_dropped(void)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < range_count; i++)
        if (ranges[i].len)
            ranges[kept++] = ranges[i];
    range_count = kept;
}

int read_add_range(uint64_t low, uint64_t high)
{
    lane_assert(low <= high);
    /* a checker sees what we look at, and takes it for the program's look */
    if (low >= high || checker_judges())
        return 0;
    remove_dropped();
    uint32_t at = range_count;
    while (at > 0 && ranges[at - 1].low > low)
        at--;
    if (at > 0 && ranges[at - 1].low + ranges[at - 1].len == low) {
        ranges[at - 1].len += high - low;
        return 0;
    }
    if (range_count == READ_RANGE_MAX)
        return -ENOSPC;
    for (uint32_t i = range_count++; i > at; i--) {
        ranges[i] = ranges[i - 1];
        __asm__ volatile("" ::: "memory"); /* or it calls memmove */
    }
    ranges[at] = (struct range){low, high - low};
    return 0;
}

void read_drop_range(uint64_t low, uint64_t high)
{
    lane_assert(low <= high);
    for (uint32_t i = 0; i < range_count; i++) {
        struct range *range = &ranges[i];
        if (range->low < high && low < range->low + range->len)
            /* pairs with inside_range(): before the pages are gone */
            __atomic_store_n(&range->len, 0, __ATOMIC_SEQ_CST);
    }
}

int read_add_served(uint64_t low, uint64_t high)
{
    lane_assert(low < high);
    /* what is known of a page is not for long enough */
    read_pages_enable(NULL);
    read_drop_range(low, high);
    for (uint32_t i = 0; i < READ_SERVED_MAX; i++) {
        uint64_t none = 0;
        if (!__atomic_compare_exchange_n(&served[i].low, &none, low, false,
                                         __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            continue;
        /* release; pairs with the acquire in not_served() */
        __atomic_store_n(&served[i].len, high - low, __ATOMIC_RELEASE);
        __atomic_store_n(&has_served, true, __ATOMIC_RELAXED);
        return 0;
    }
    return -ENOSPC;
}

void read_drop_served(uint64_t low, uint64_t high)
{
    for (uint32_t i = 0; i < READ_SERVED_MAX; i++) {
        if (served[i].low != low || served[i].len != high - low)
            continue;
        /* release; pairs with not_served() */
        __atomic_store_n(&served[i].len, 0, __ATOMIC_RELEASE);
        /* release; pairs with the exchange in read_add_served() */
        __atomic_store_n(&served[i].low, 0, __ATOMIC_RELEASE);
    }
}

void read_forbid_syscalls(void)
{
    __atomic_store_n(&is_forbidden, true, __ATOMIC_RELAXED);
}

bool read_is_forbidden(void)
{
    return __atomic_load_n(&is_forbidden, __ATOMIC_RELAXED);
}
