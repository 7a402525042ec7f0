/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries of Z.
 *
 *   pool    one reservation of address space, never unmapped; its end is for
 *           stacks (stacks.c). Entries are cut off it in order, and made
 *           accessible in batches (PROT_NONE until then, so that mlockall does
 *           not fill it)
 *   cache   the entries of one lane, a ring that only grows. An entry stays in
 *           its ring for ever.
 *
 * `busy` says whether an entry has a frame. Taking is one exchange of it from 0
 * to 1, by the thread of the ring alone (so it needs no lock prefix: only a
 * signal handler can come in between, and then one of the two finds it taken);
 * giving is one store of 0, from whatever thread. Order in the ring is not
 * needed for right results; calls that nest find the next entry free because
 * the hint follows them.
 *
 * An entry is given back by its own leave or landing pad. One whose frame a
 * longjmp took away waits in a queue of its cache, busy, until LEFT_MAX others
 * came behind it: it is given back then. Programs that copy stacks away and
 * back restore such a frame some day; the first one that returns says so
 * (shim_entries_keep), and from then on such entries stay busy for good, 192
 * bytes each, as those do whose thread ended under them.
 *
 * Runs on the path of a call with the program's vector registers live: general
 * registers only, no libc.
 */
#include "shim/x86_64/entry.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum {
    RESERVE_MAX = 1 << 24,
    BATCH_BYTES = SHIM_BATCH_BYTES,
    LAST_BYTES = 256 * 1024, /* made accessible before no call may be made */
    SEARCH_MAX = 4096,       /* the ring, for the stack of an error */
    LOOK_AT = 8,             /* entries of the ring before a new one is made */
    LEFT_MAX = 256,          /* that wait for their frame to come back */
    LEFT_NEAR = 1 << 20,
};

__thread struct shim_cache *shim_cache;

static uint8_t *pool;
static uint64_t pool_bytes, pool_next, pool_ready; /* the last two: atomic */
static bool is_forbidden;
static struct shim_cache caches[SHIM_CACHE_MAX];
static struct shim_cache shared; /* of threads without one */
/* What an empty ring has: never free. */
static struct shim_entry nothing = {.busy = 1, .next = &nothing};

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
    if (pool != NULL)
        return 0;
    if (count > RESERVE_MAX)
        count = RESERVE_MAX;
    shared.hint = &nothing;
    for (uint64_t len = count * ENTRY_SIZE; len >= BATCH_BYTES; len /= 2) {
        len &= ~(uint64_t)(BATCH_BYTES - 1);
        void *at = mmap(NULL, len, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED)
            continue;
        /* it is taken in pieces: none is to become a huge page */
        (void)madvise(at, len, MADV_NOHUGEPAGE);
        pool_bytes = len - shim_stacks_reserve(at, len);
        pool = at;
        return 0;
    }
    return -ENOMEM;
}

void shim_cache_use(uint32_t slot)
{
    shim_cache = NULL;
    if (slot >= SHIM_CACHE_MAX)
        return;
    if (caches[slot].hint == NULL)
        caches[slot].hint = &nothing;
    shim_cache = &caches[slot];
}

/* Make the pool accessible up to `end`. Several threads may do so at once. */
static int make_ready(uint64_t end)
{
    /* acquire; pairs with the exchange below */
    uint64_t ready = __atomic_load_n(&pool_ready, __ATOMIC_ACQUIRE);
    while (ready < end) {
        if (call_mprotect(pool + ready, BATCH_BYTES, PROT_READ | PROT_WRITE))
            return -ENOMEM;
        /* fails if another thread was faster: `ready` is then what it did */
        /* release; pairs with the acquire above */
        if (__atomic_compare_exchange_n(&pool_ready, &ready,
                                        ready + BATCH_BYTES, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            ready += BATCH_BYTES;
    }
    return 0;
}

void shim_entries_forbid(void)
{
    uint64_t end = __atomic_load_n(&pool_next, __ATOMIC_RELAXED) + LAST_BYTES;
    if (pool == NULL || __atomic_load_n(&is_forbidden, __ATOMIC_RELAXED))
        return;
    (void)make_ready(end < pool_bytes ? end : pool_bytes);
    __atomic_store_n(&is_forbidden, true, __ATOMIC_RELAXED);
}

/* How far entries may be cut off. */
static uint64_t pool_end(void)
{
    /* acquire; pairs with the exchange in make_ready() */
    if (__atomic_load_n(&is_forbidden, __ATOMIC_RELAXED))
        return __atomic_load_n(&pool_ready, __ATOMIC_ACQUIRE);
    return pool_bytes;
}

/* A new entry, busy, in no ring yet. NULL: the pool is used up. */
static struct shim_entry *cut_off(struct shim_cache *home)
{
    uint64_t at = __atomic_load_n(&pool_next, __ATOMIC_RELAXED);
    do {
        if (at + ENTRY_SIZE > pool_end())
            return NULL;
    } while (!__atomic_compare_exchange_n(&pool_next, &at, at + ENTRY_SIZE,
                                          true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    if (make_ready(at + ENTRY_SIZE) != 0)
        return NULL; /* this one is lost; there is no memory anyway */
    struct shim_entry *entry = (struct shim_entry *)(void *)(pool + at);
    entry->busy = 1;
    entry->home = home;
    return entry;
}

/* Locked: the shared ring has several takers. */
static bool claim(struct shim_entry *entry)
{
    uint64_t free = 0;
    return __atomic_load_n(&entry->busy, __ATOMIC_RELAXED) == 0 &&
           /* acquire; pairs with the trampolines, which free it by a store */
           __atomic_compare_exchange_n(&entry->busy, &free, 1, false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Put a new entry into the ring behind `at`. */
static void insert(struct shim_entry *at, struct shim_entry *entry)
{
    /* pairs with itself and shim_entry_take(): they link and follow */
    struct shim_entry *next = __atomic_load_n(&at->next, __ATOMIC_ACQUIRE);
    do {
        entry->next = next;
    } while (!__atomic_compare_exchange_n(&at->next, &next, entry, false,
                                          __ATOMIC_RELEASE, __ATOMIC_ACQUIRE));
}

struct shim_entry *shim_entry_take(void)
{
    struct shim_cache *cache = shim_cache != NULL ? shim_cache : &shared;
    /* pairs with the releases below and in insert() */
    struct shim_entry *start = __atomic_load_n(&cache->hint, __ATOMIC_ACQUIRE);
    struct shim_entry *entry = start;
    if (pool == NULL)
        return NULL;
    for (int i = 0; i < LOOK_AT && entry != &nothing; i++) {
        if (claim(entry)) {
            __atomic_store_n(&cache->hint, entry->next, __ATOMIC_RELEASE);
            return entry;
        }
        /* acquire; pairs with insert() */
        entry = __atomic_load_n(&entry->next, __ATOMIC_ACQUIRE);
    }
    entry = cut_off(cache);
    if (entry == NULL)
        return NULL;
    entry->next = entry; /* a ring, if it is the first */
    if (start == &nothing &&
        /* release; pairs with the acquires of another taker */
        __atomic_compare_exchange_n(&cache->hint, &start, entry, false,
                                    __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
        return entry;
    insert(start, entry);
    __atomic_store_n(&cache->hint, entry->next, __ATOMIC_RELEASE);
    return entry;
}

void shim_entry_give(struct shim_entry *entry)
{
    if (entry->home == shim_cache)
        shim_cache->hint = entry;
    /* release; pairs with the claim of whoever takes it next */
    __atomic_store_n(&entry->busy, 0, __ATOMIC_RELEASE);
}

/* ---- taken away by a longjmp ------------------------------------------ */

static bool is_kept; /* frames come back: no such entry is given back */

void shim_entries_keep(void)
{
    __atomic_store_n(&is_kept, true, __ATOMIC_RELAXED);
}

bool shim_entries_are_kept(void)
{
    return __atomic_load_n(&is_kept, __ATOMIC_RELAXED);
}

/* The oldest one, if its frame did not come back meanwhile: then it was given
 * back by that, and its flags are another call's. */
static void free_oldest(struct shim_cache *cache)
{
    struct shim_entry *entry = cache->left_first;
    cache->left_first = entry->left;
    cache->left_count--;
    entry->left = NULL;
    if (entry->busy && (entry->call.flags & SHIM_CALL_LEFT))
        shim_entry_give(entry);
}

static void leave(struct shim_cache *cache, struct shim_entry *entry)
{
    entry->call.flags |= SHIM_CALL_LEFT;
    if (entry->left != NULL)
        return; /* it came back, and left again */
    entry->left = entry;
    if (cache->left_count == 0)
        cache->left_first = entry;
    else
        cache->left_last->left = entry;
    cache->left_last = entry;
    cache->left_count++;
    if (cache->left_count > LEFT_MAX)
        free_oldest(cache);
}

/* Not beside a call of it that we interrupt. One that is being jumped over, or
 * was, does not count. */
static bool lock_left(struct shim_cache *cache, uint64_t low, uint64_t high)
{
    uint64_t by = cache->left_busy;
    if (by != 0 && (by >= high || (by < low && low - by > LEFT_NEAR)))
        return false;
    cache->left_busy = (uint64_t)__builtin_frame_address(0);
    /* pairs with the load above, of a call that interrupts us */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return true;
}

void shim_entries_left(uint64_t low, uint64_t high, bool are_many)
{
    struct shim_cache *cache = shim_cache;
    struct shim_entry *start = cache ? cache->hint : NULL, *entry = start;
    if (start == NULL || start == &nothing || shim_entries_are_kept() ||
        !lock_left(cache, low, high))
        return;
    for (uint32_t i = 0; i < SEARCH_MAX || are_many; i++) {
        /* acquire; pairs with insert() */
        struct shim_entry *next =
            __atomic_load_n(&entry->next, __ATOMIC_ACQUIRE);
        if (entry->busy && entry->home == cache &&
            (entry->call.flags & SHIM_CALL_LEFT) == 0 &&
            entry->call.sp - low < high - low)
            leave(cache, entry);
        if (next == start)
            break;
        entry = next;
    }
    cache->left_busy = 0;
}

/* ---- looked for by an error ------------------------------------------- */

static struct shim_entry *find_in(const struct shim_cache *cache, uint64_t sp,
                                  uint64_t open)
{
    /* acquire; pairs with shim_entry_take() and insert() */
    struct shim_entry *start = __atomic_load_n(&cache->hint, __ATOMIC_ACQUIRE);
    struct shim_entry *entry = start;
    for (uint32_t i = 0; entry != NULL && i < SEARCH_MAX; i++) {
        if (entry->busy && entry->call.sp == sp && entry->call.open == open)
            return entry;
        entry = __atomic_load_n(&entry->next, __ATOMIC_ACQUIRE);
        if (entry == start)
            break;
    }
    return NULL;
}

static struct shim_entry *find(uint64_t sp, uint64_t open)
{
    struct shim_entry *entry =
        shim_cache ? find_in(shim_cache, sp, open) : NULL;
    /* a thread's first call has its entry from there */
    return entry != NULL ? entry : find_in(&shared, sp, open);
}

struct shim_call *shim_entry_call(uint64_t sp, uint64_t open)
{
    struct shim_entry *entry = find(sp, open);
    return entry != NULL ? &entry->call : NULL;
}

bool shim_entry_find(uint64_t sp, uint64_t open, uint64_t *return_address,
                     uint64_t *rbp)
{
    const struct shim_entry *entry = find(sp, open);
    if (entry == NULL)
        return false;
    *return_address = entry->ra;
    *rbp = entry->rbp;
    return true;
}

uint64_t shim_callers[CALLERS];

void shim_caller_known(uint64_t return_address)
{
    uint32_t low = (uint32_t)return_address;
    __atomic_store_n(&shim_callers[(low ^ low >> 12) % CALLERS], return_address,
                     __ATOMIC_RELAXED);
}

void shim_callers_forget(void)
{
    for (uint32_t i = 0; i < CALLERS; i++) {
        if (shim_callers[i] != 0) /* pages that nobody used stay so */
            __atomic_store_n(&shim_callers[i], 0, __ATOMIC_RELAXED);
    }
}

uint64_t shim_stub_frame(uint32_t site)
{
    return (uint64_t)shim_stubs_frame + (uint64_t)site * 16;
}

uint8_t shim_copy_words[SHIM_SITE_MAX];

uint64_t shim_stub_copy(uint32_t site, uint32_t words)
{
    /* before any call of it: the stub is not reached yet */
    shim_copy_words[site] = (uint8_t)words;
    return (uint64_t)shim_stubs_copy + (uint64_t)site * 16;
}

uint64_t shim_stub_zero_copy(uint32_t site)
{
    return (uint64_t)shim_stubs_zero + (uint64_t)site * 16;
}

uint32_t shim_stub_site(uint64_t address)
{
    uint64_t offset = address - shim_stub_zero_copy(0);
    uint64_t stride = shim_stub_zero_copy(1) - shim_stub_zero_copy(0);
    return offset < SHIM_SITE_MAX * stride ? (uint32_t)(offset / stride) : 0;
}

bool shim_is_return_address(uint64_t address)
{
    return address == (uint64_t)shim_frame_return ||
           address == (uint64_t)shim_zero_return;
}
