/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages near an object: the five-byte jump over an entry reaches 2 GiB, so the
 * island it leads to must lie within that distance of the whole object (the
 * relocated copy also refers to the object's data). Pages are r-x from the
 * start and filled through /proc/self/mem. They are never unmapped: a thread
 * may stand in a copy at any time.
 *
 * Runs in the constructor or under the loader's lock: one thread at a time.
 */
#include "shim/patch_internal.h"
#include <errno.h>
#include <sys/mman.h>

enum {
    POOL_BYTES = SHIM_POOL_BYTES,
    POOL_MAX = 256,
    POOL_ALIGN = 16,
    STEP_FIRST = 1 << 20,
    STEP_MAX = 64 << 20, /* gaps are wider; mappings are passed in few tries */
};
/* Less than 2 GiB, for the length of what stands at both ends. */
#define REACH (UINT64_C(0x7fff0000) - POOL_BYTES)

struct pool {
    uint64_t base, used_bytes;
};
static struct pool pools[POOL_MAX];
static unsigned pool_count;

void shim_island_seal(void)
{
    for (unsigned i = 0; i < pool_count; i++)
        pools[i].used_bytes = POOL_BYTES;
    shim_pad_seal();
}

static bool is_near(uint64_t base, uint64_t low, uint64_t high)
{
    return base + POOL_BYTES > base && high < base + REACH &&
           base < low + REACH;
}

/* The kernel's own choice is near whatever else it mapped lately; asking at a
 * place that is taken costs one syscall. */
static bool try_map(uint64_t hint)
{
    void *got = mmap((void *)hint, POOL_BYTES, PROT_READ | PROT_EXEC,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (got == MAP_FAILED)
        return false;
    if ((uint64_t)got != hint) { /* a kernel before 4.17 took it as a hint */
        munmap(got, POOL_BYTES);
        return false;
    }
    pools[pool_count++] = (struct pool){hint, 0};
    return true;
}

static uint64_t next_step(uint64_t step)
{
    return step < STEP_MAX ? step * 2 : step;
}

static bool make_pool(uint64_t low, uint64_t high)
{
    uint64_t floor = high > REACH ? high - REACH : 0;
    uint64_t align = ~(uint64_t)(POOL_BYTES - 1);
    if (pool_count == POOL_MAX)
        return false;
    if (floor < STEP_FIRST)
        floor = STEP_FIRST;
    /* Above first for a fixed-address program (the heap follows a PIE), but
     * below first in general: mappings grow downwards, gaps lie there. */
    uint64_t step = STEP_FIRST;
    for (uint64_t at = (low & align) - POOL_BYTES; at < low && at > floor;
         at -= step, step = next_step(step)) {
        if (try_map(at))
            return true;
    }
    step = STEP_FIRST;
    for (uint64_t at = (high + STEP_FIRST) & align; at < low + REACH;
         at += step, step = next_step(step)) {
        if (try_map(at))
            return true;
    }
    return false;
}

int shim_island_take(uint64_t near_low, uint64_t near_high, size_t len_bytes,
                     uint64_t *at)
{
    size_t len = (len_bytes + POOL_ALIGN - 1) & ~(size_t)(POOL_ALIGN - 1);
    if (len > POOL_BYTES)
        return -ENOMEM;
    for (unsigned tries = 0; tries < 2; tries++) {
        for (unsigned i = 0; i < pool_count; i++) {
            struct pool *pool = &pools[i];
            if (pool->used_bytes + len > POOL_BYTES ||
                !is_near(pool->base, near_low, near_high))
                continue;
            *at = pool->base + pool->used_bytes;
            pool->used_bytes += len;
            return 0;
        }
        if (!make_pool(near_low, near_high))
            break;
    }
    return -ENOMEM;
}
