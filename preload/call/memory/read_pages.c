/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See read_pages.h. The cache is direct-mapped and per thread; an entry is one
 * word (page number, time), so a signal handler that comes between sees either
 * the old or the new one.
 */
#include "preload/call/memory/read_pages.h"
#include "preload/call/memory/read_guard.h"
#include "shim/checker.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "lane/x86_64/machine.h"
#include "lane/format/assert.h"

enum {
    PAGE = 4096,
    PAGE_SHIFT = 12,
    ENTRIES = 512, /* one page */
    SLOTS = 1024,
    KERNEL_SIGSET_BYTES = 8,
};
enum {
    STAMP_BITS = 28,
    STAMP_SHIFT = 24, /* of ticks: about 5 ms */
    STAMP_MAX_AGE = 7,
};

static read_pages_repairs *enabled; /* NULL: off */
/* This thread's cache; NULL: nothing was learned yet. Thread-local storage is
 * taken out of every thread's stack, so the cache itself is elsewhere. */
static __thread uint64_t *pages __attribute__((tls_model("initial-exec")));
static __thread uint32_t slot /* and 1 */
    __attribute__((tls_model("initial-exec")));
static uint64_t *kept[SLOTS]; /* of threads past and present */

extern READ_HIDDEN const struct read_guard {
    uint64_t load, resume;
} read_guard_table[];

void read_pages_enable(read_pages_repairs *repairs)
{
    __atomic_store_n(&enabled, repairs, __ATOMIC_RELAXED);
}

void read_pages_drop(void)
{
    pages = NULL; /* make_pages() clears what it finds */
}

bool read_fix_fault(uint64_t *rip)
{
    for (const struct read_guard *guard = read_guard_table; guard->load;
         guard++) {
        if (guard->load != *rip)
            continue;
        *rip = guard->resume;
        return true;
    }
    return false;
}

static uint64_t stamp_now(void)
{
    return (__builtin_ia32_rdtsc() >> STAMP_SHIFT) &
           (((uint64_t)1 << STAMP_BITS) - 1);
}

static bool is_fresh(uint64_t entry)
{
    uint64_t age = (stamp_now() - entry) & (((uint64_t)1 << STAMP_BITS) - 1);
    return age <= STAMP_MAX_AGE;
}

size_t read_pages_find(uint64_t addr, size_t n)
{
    uint64_t page = addr >> PAGE_SHIFT;
    const uint64_t *known = pages; /* a handler may drop them, here and below */
    uint64_t entry = known ? known[page % ENTRIES] : 0;
    size_t room = PAGE - addr % PAGE;
    if (entry >> STAMP_BITS != page ||
        !__atomic_load_n(&enabled, __ATOMIC_RELAXED) || !is_fresh(entry))
        return 0;
    return n < room ? n : room;
}

void read_pages_forget(uint64_t addr)
{
    uint64_t page = addr >> PAGE_SHIFT;
    uint64_t *known = pages;
    if (known && known[page % ENTRIES] >> STAMP_BITS == page)
        known[page % ENTRIES] = 0;
}

void read_pages_use(uint32_t number)
{
    pages = NULL;
    slot = number < SLOTS ? number + 1 : 0;
}

/* One made before for this slot holds what another thread learned, or this one
 * before it dropped it. */
static uint64_t *make_pages(void)
{
    uint64_t *known = pages;
    if (known)
        return known;
    if (slot == 0)
        return NULL;
    lane_assert(slot <= SLOTS);
    uint64_t *at = kept[slot - 1];
    if (at) {
        for (int i = 0; i < ENTRIES; i++)
            at[i] = 0;
    } else {
        long made = machine_syscall(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (made < 0 && made > -PAGE)
            return NULL;
        at = (uint64_t *)made;
        checker_is_shared(at, PAGE); /* by threads that follow each other */
        kept[slot - 1] = at;
    }
    pages = at;
    return at;
}

/* A fault in a thread that blocks its signal kills the process. */
static bool signals_are_blocked(void)
{
    uint64_t mask = 0;
    uint64_t both = (uint64_t)1 << (SIGSEGV - 1) | (uint64_t)1 << (SIGBUS - 1);
    return machine_syscall(SYS_rt_sigprocmask, SIG_BLOCK, 0, (long)&mask,
                           KERNEL_SIGSET_BYTES, 0, 0) != 0 ||
           (mask & both);
}

static bool is_repaired(int number, read_pages_repairs *repairs)
{
    lane_assert(repairs != NULL);
    uint64_t now[4] = {0}; /* the kernel's sigaction: handler, flags */
    return machine_syscall(SYS_rt_sigaction, number, 0, (long)now,
                           KERNEL_SIGSET_BYTES, 0, 0) == 0 &&
           repairs(now[0], now[1]);
}

void read_pages_learn(uint64_t addr, size_t n)
{
    read_pages_repairs *repairs = __atomic_load_n(&enabled, __ATOMIC_RELAXED);
    if (n == 0 || repairs == NULL || checker_judges() || signals_are_blocked())
        return;
    if (!is_repaired(SIGSEGV, repairs) || !is_repaired(SIGBUS, repairs)) {
        read_pages_enable(NULL);
        return;
    }
    uint64_t *known = make_pages();
    if (known == NULL)
        return;
    uint64_t now = stamp_now(), last = (addr + n - 1) >> PAGE_SHIFT;
    for (uint64_t page = addr >> PAGE_SHIFT; page <= last; page++)
        known[page % ENTRIES] = page << STAMP_BITS | now;
}
