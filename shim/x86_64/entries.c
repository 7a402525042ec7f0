/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool of Z's entries.
 *
 *   pool    one reservation of address space, never unmapped; an entry is
 *           named by its index. Entry 0 is never used: 0 ends a list.
 *   fresh   entries never used yet: handed out in order, made accessible in
 *           batches (PROT_NONE until then, so mlockall does not fill it)
 *   free    a stack of free entries for all threads: head is a tag and an
 *           index, changed by locked cmpxchg
 *   caches  a stack of free entries for each lane: trampoline.S takes and
 *           gives there without a lock prefix
 *
 * An entry is given back by its own leave or landing pad alone, on whatever
 * thread. One whose frame vanished (longjmp, a thread that ended under it)
 * is never given back: nothing proves that its frame is not restored some day
 * (copied stacks). That is the quarantine: it costs 256 bytes each.
 *
 * Runs on the path of a call with the program's vector registers live: general
 * registers only, no libc. A stale `next` may be read of an entry that somebody
 * else took meanwhile; the tag makes the exchange fail then.
 */
#include "shim/x86_64/entry.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum {
    RESERVE_MIN = 1 << 18, /* entries: 64 MiB */
    FRESH_BATCH = 256,     /* entries: 64 KiB */
    MOVE = 16,             /* entries between free and a cache at once */
};

struct shim_entry *shim_pool;
__thread struct shim_cache *shim_cache;

static uint32_t pool_count;  /* entries reserved */
static uint32_t fresh_next;  /* first index never handed out; atomic */
static uint32_t fresh_ready; /* indices below are accessible; atomic, grows */
static _Alignas(64) uint64_t free_head;
static struct shim_cache caches[SHIM_CACHE_MAX];

/* Raw: libc's wrappers may be traced themselves, and touch errno. */
static long call_mprotect(void *at, size_t len, int prot)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_mprotect), "D"(at), "S"(len), "d"((long)prot)
                     : "rcx", "r11", "memory");
    return result;
}

int shim_entries_reserve(size_t count)
{
    if (shim_pool != NULL)
        return 0;
    if (count < RESERVE_MIN)
        count = RESERVE_MIN; /* address space is all it costs */
    if (count > CACHE_INDEX_MASK)
        count = CACHE_INDEX_MASK;
    count &= ~(size_t)(FRESH_BATCH - 1);
    for (; count >= FRESH_BATCH; count /= 2) {
        void *at = mmap(NULL, count * ENTRY_SIZE, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED)
            continue;
        pool_count = (uint32_t)count;
        fresh_next = 1;
        shim_pool = at;
        return 0;
    }
    return -ENOMEM;
}

void shim_cache_use(uint32_t slot)
{
    shim_cache = slot < SHIM_CACHE_MAX ? &caches[slot] : NULL;
}

/* Make the batch of `index` accessible. Several threads may do so at once:
 * mprotect to the same protection is idempotent. */
static int fresh_make_ready(uint32_t index)
{
    uint32_t low = index & ~(uint32_t)(FRESH_BATCH - 1);
    if (call_mprotect(shim_pool + low, (size_t)FRESH_BATCH * ENTRY_SIZE,
                      PROT_READ | PROT_WRITE) != 0)
        return -ENOMEM;
    uint32_t ready = __atomic_load_n(&fresh_ready, __ATOMIC_RELAXED);
    while (ready == low && !__atomic_compare_exchange_n(
                               &fresh_ready, &ready, low + FRESH_BATCH, false,
                               __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        ;
    return 0;
}

static struct shim_entry *fresh_take(void)
{
    uint32_t index = __atomic_load_n(&fresh_next, __ATOMIC_RELAXED);
    do {
        if (index >= pool_count)
            return NULL;
    } while (!__atomic_compare_exchange_n(&fresh_next, &index, index + 1, true,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    /* batches may become ready out of order: then once more is harmless */
    if (index >= __atomic_load_n(&fresh_ready, __ATOMIC_ACQUIRE) &&
        fresh_make_ready(index) != 0)
        return NULL; /* this one is lost; there is no memory anyway */
    shim_pool[index].index = index;
    return &shim_pool[index];
}

static struct shim_entry *free_pop(void)
{
    uint64_t head = __atomic_load_n(&free_head, __ATOMIC_ACQUIRE);
    for (;;) {
        struct shim_entry *entry = shim_pool + (head & CACHE_INDEX_MASK);
        if ((head & CACHE_INDEX_MASK) == 0)
            return NULL;
        uint64_t next =
            __atomic_load_n(&entry->next, __ATOMIC_RELAXED) & CACHE_INDEX_MASK;
        uint64_t after = (head & ~(uint64_t)CACHE_INDEX_MASK) | next;
        if (__atomic_compare_exchange_n(&free_head, &head, after, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE))
            return entry;
    }
}

static void free_push(struct shim_entry *entry)
{
    uint64_t head = __atomic_load_n(&free_head, __ATOMIC_RELAXED);
    uint64_t after;
    do {
        __atomic_store_n(&entry->next, head & CACHE_INDEX_MASK,
                         __ATOMIC_RELAXED);
        after = ((head + CACHE_TAG_ONE) & ~(uint64_t)CACHE_INDEX_MASK) |
                entry->index;
        /* release; pairs with free_pop's acquire */
    } while (!__atomic_compare_exchange_n(&free_head, &head, after, false,
                                          __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static bool cache_exchange(struct shim_cache *cache, uint64_t *head,
                           uint64_t after)
{
    bool ok;
    __asm__ volatile("cmpxchgq %3, %1"
                     : "=@ccz"(ok), "+m"(cache->head), "+a"(*head)
                     : "r"(after)
                     : "memory");
    return ok;
}

static void cache_push(struct shim_cache *cache, struct shim_entry *entry)
{
    uint64_t head = cache->head;
    uint64_t after;
    do {
        entry->next = head & CACHE_INDEX_MASK;
        after = ((head + CACHE_TAG_ONE + CACHE_COUNT_ONE) &
                 ~(uint64_t)CACHE_INDEX_MASK) |
                entry->index;
    } while (!cache_exchange(cache, &head, after));
}

static struct shim_entry *cache_pop(struct shim_cache *cache)
{
    uint64_t head = cache->head;
    for (;;) {
        struct shim_entry *entry = shim_pool + (head & CACHE_INDEX_MASK);
        if ((head & CACHE_INDEX_MASK) == 0)
            return NULL;
        uint64_t after =
            ((head & ~(uint64_t)CACHE_INDEX_MASK) - CACHE_COUNT_ONE) |
            entry->next;
        if (cache_exchange(cache, &head, after))
            return entry;
    }
}

struct shim_entry *shim_entry_take(void)
{
    if (shim_pool == NULL)
        return NULL;
    struct shim_cache *cache = shim_cache;
    struct shim_entry *entry = free_pop();
    if (entry == NULL)
        return fresh_take();
    /* refill while there: the next calls find theirs in the cache */
    for (int i = 0; cache != NULL && i < MOVE; i++) {
        struct shim_entry *more = free_pop();
        if (more == NULL)
            break;
        cache_push(cache, more);
    }
    return entry;
}

void shim_entry_give(struct shim_entry *entry)
{
    struct shim_cache *cache = shim_cache;
    if (cache == NULL) {
        free_push(entry);
        return;
    }
    if (((uint32_t)cache->head >> 24) >= CACHE_COUNT_MAX) {
        /* one thread takes, another gives (fibers): pass them on */
        for (int i = 0; i < MOVE; i++) {
            struct shim_entry *more = cache_pop(cache);
            if (more == NULL)
                break;
            free_push(more);
        }
    }
    cache_push(cache, entry);
}

uint64_t shim_stub_frame(uint32_t site)
{
    return (uint64_t)shim_stubs_frame + (uint64_t)site * 16;
}

uint64_t shim_stub_zero_copy(uint32_t site)
{
    return (uint64_t)shim_stubs_zero + (uint64_t)site * 16;
}

bool shim_is_return_address(uint64_t address)
{
    return address == (uint64_t)shim_frame_return ||
           address == (uint64_t)shim_zero_return;
}
