/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pads: where a jump over an entry leads whose distance says something else as
 * well (patch_internal.h). A pad is a jump through memory in a page of ours
 * that lies where the distance wants it: below the object where there is a
 * choice, away from the heap that grows behind a program.
 *
 * A distance of which two bytes at most are given finds its place in one pool
 * of 64 KiB near the object; every other one needs a page of its own. Pages are
 * never unmapped, and what is free in them is still zero.
 */
#include "shim/patch_internal.h"
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

enum {
    PAGE = 4096,
    PAD_BYTES = SHIM_ISLAND_COPY,
    POOLS = 1024,
    START_PAGES = 128, /* of these pools, for all that is bound at the start */
    LOOK = 64,         /* pages that are looked through for a place */
    TRIES = 4000,      /* places that are asked for */
    LOWEST = 1 << 20,  /* no page of ours below */
};
/* A pad of the start lies at least 1.5 GiB below. What a process maps later,
 * above all the 64 MiB of each thread's heap, fills the room below its
 * libraries downwards: a page in the middle would push it over the few places
 * that a live pad can have, 832 MiB below a function for instance. */
#define FAR_DOWN   UINT32_C(0x80000000)
#define FAR_ROOM   UINT32_C(0x1fffffff)
#define HEAP_ROOM  (UINT64_C(64) << 30)
#define STACK_ROOM (UINT64_C(1) << 30)

struct pool {
    uint64_t base;
    uint32_t bytes;
};
static struct pool pools[POOLS];
static uint32_t pool_count, page_count, sealed_count;

/* What grows later: the heap, in the 64 GiB behind the program's beginning, and
 * the stack of the thread that starts, in the 1 GiB below. */
static uint64_t heap_low, stack_high;

void shim_pad_seal(void)
{
    sealed_count = pool_count;
}

static bool is_fit(const struct plan_patch *patch, struct shim_pun pun,
                   uint64_t to)
{
    int64_t distance = (int64_t)(to - (patch->patch_at + PLAN_PATCH_BYTES));
    return distance == (int32_t)distance &&
           ((uint32_t)distance & pun.mask) == pun.value;
}

static bool is_free(uint64_t at)
{
    static const uint8_t zero[PAD_BYTES];
    return memcmp((const void *)at, zero, PAD_BYTES) == 0;
}

static bool find_in_pool(const struct plan_patch *patch, struct shim_pun pun,
                         const struct pool *pool, uint64_t *at)
{
    uint64_t from = patch->patch_at + PLAN_PATCH_BYTES;
    uint64_t step = (pun.mask & 0xffff) == 0xffff ? 0x10000
                    : (pun.mask & 0xff) == 0xff   ? 0x100
                                                  : 1;
    if (step == 1 && pool->bytes > PAGE)
        return false;
    uint64_t first =
        pool->base + ((from + pun.value - pool->base) & (step - 1));
    if (step == 1)
        first = pool->base;
    for (uint64_t i = first; i <= pool->base + pool->bytes - PAD_BYTES;
         i += step) {
        if (is_fit(patch, pun, i) && is_free(i)) {
            *at = i;
            return true;
        }
    }
    return false;
}

static bool find(const struct plan_patch *patch, const struct shim_puns *puns,
                 uint64_t *at)
{
    for (uint32_t k = 0; k < puns->count; k++) {
        bool is_slow = (puns->at[k].mask & 0xff) != 0xff;
        for (uint32_t i = pool_count; i > sealed_count; i--) {
            if (is_slow && pool_count - i >= LOOK)
                break;
            if (find_in_pool(patch, puns->at[k], &pools[i - 1], at))
                return true;
        }
    }
    return false;
}

static bool map_page(uint64_t base)
{
    void *got = mmap((void *)base, PAGE, PROT_READ | PROT_EXEC,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (got == MAP_FAILED)
        return false;
    if ((uint64_t)got == base)
        return true;
    munmap(got, PAGE); /* a kernel before 4.17 took it as a hint */
    return false;
}

enum side {
    BELOW,
    FAR_BELOW,
    ABOVE
};

/* A distance as it is wanted, the rest by chance. */
static uint64_t propose(const struct plan_patch *patch, struct shim_pun pun,
                        uint64_t *seed, enum side side)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    uint32_t field = (uint32_t)(*seed >> 20);
    field = side == ABOVE   ? field & ~FAR_DOWN
            : side == BELOW ? field | FAR_DOWN
                            : (field & FAR_ROOM) | FAR_DOWN;
    field = (field & ~pun.mask) | pun.value;
    return patch->patch_at + PLAN_PATCH_BYTES +
           (uint64_t)(int64_t)(int32_t)field;
}

static bool is_in_the_way(uint64_t at)
{
    if (heap_low == 0) {
        heap_low = getauxval(AT_PHDR) | 1;
        stack_high = (uint64_t)__builtin_frame_address(0);
    }
    return at - heap_low < HEAP_ROOM || stack_high - at < STACK_ROOM;
}

static bool map_own(const struct plan_patch *patch, struct shim_pun pun,
                    bool is_live, uint64_t *at)
{
    uint64_t seed = patch->patch_at | 1;
    uint32_t tries = pun.mask == UINT32_MAX ? 1 : TRIES;
    if (!is_live && tries > 1)
        tries = LOOK;
    for (uint32_t i = 0; i < tries; i++) {
        enum side side = i >= tries / 2 && tries > 1 ? ABOVE
                         : is_live                   ? BELOW
                                                     : FAR_BELOW;
        uint64_t to = propose(patch, pun, &seed, side);
        uint64_t base = to & ~(uint64_t)(PAGE - 1);
        if (to < LOWEST || to >> 47 != 0 || to - base > PAGE - PAD_BYTES ||
            !is_fit(patch, pun, to) || (!is_live && is_in_the_way(to)) ||
            !map_page(base))
            continue;
        pools[pool_count++] = (struct pool){base, PAGE};
        page_count++;
        *at = to;
        return true;
    }
    return false;
}

/* One that has a place for each distance whose upper half is free. */
static bool map_pool(const struct plan_patch *patch, struct shim_pun pun,
                     uint64_t *at)
{
    uint64_t near = patch->patch_at, base;
    if (shim_island_take(near, near, SHIM_POOL_BYTES, &base) != 0)
        return false;
    pools[pool_count++] = (struct pool){base, SHIM_POOL_BYTES};
    return find_in_pool(patch, pun, &pools[pool_count - 1], at);
}

int shim_pad_take(const struct plan_patch *patch, const struct shim_puns *puns,
                  bool is_live, uint64_t *at)
{
    if (find(patch, puns, at))
        return 0;
    for (uint32_t k = 0; k < puns->count; k++) {
        struct shim_pun pun = puns->at[k];
        bool is_wide = (pun.mask & 0xff) == 0xff && pun.mask <= 0xffff;
        if (pool_count == POOLS ||
            (!is_wide && !is_live && page_count >= START_PAGES))
            return -ENOSPC;
        if (is_wide ? map_pool(patch, pun, at)
                    : map_own(patch, pun, is_live, at))
            return 0;
    }
    return -ENOSPC;
}
