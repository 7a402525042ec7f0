/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patching by instruction punning: see live.h. The order of writes:
 *
 *   rows of the trap table, the island, the pad    nobody comes here yet
 *   CC over the first byte and each boundary       who comes traps, goes on
 *   sync cores                                     all see the traps
 *   the other bytes of the distance, sync          nobody executes these
 *   E9 over the first byte, sync                   the jump is whole
 *
 * A pad is a jump through memory to the stub, in a page of ours that lies
 * where the distance wants it: below the object where there is a choice, away
 * from the heap that grows behind a program.
 */
#include "shim/live.h"
#include "shim/patch_internal.h"
#include <errno.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    TRAP = 0xcc,
    ROWS = 16384, /* power of two */
    ROWS_MOST = ROWS / 2,
    PAD_PAGES = 1024,
    PAD_LOOK = 64,    /* pages that are looked through for a place */
    PAD_TRIES = 4000, /* places that are asked for */
    LOWEST = 1 << 20, /* no page of ours below */
};

/* ---- the trap table ----------------------------------------------------- */

struct row {
    uint64_t address; /* 0: free; never changes back */
    uint64_t target;  /* 0: not ours any more */
};
static struct row *rows; /* ROWS of them, once there is one */
static uint32_t row_count;

static struct row *row_of(uint64_t address)
{
    uint64_t i = (address * UINT64_C(0x9e3779b97f4a7c15)) >> 50;
    for (;; i++) {
        struct row *row = &rows[i & (ROWS - 1)];
        /* acquire; pairs with put_row() */
        uint64_t at = __atomic_load_n(&row->address, __ATOMIC_ACQUIRE);
        if (at == address || at == 0)
            return row;
    }
}

static bool make_rows(void)
{
    void *at = mmap(NULL, ROWS * sizeof(*rows), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return false;
    /* release; pairs with shim_live_target() */
    __atomic_store_n(&rows, at, __ATOMIC_RELEASE);
    return true;
}

static bool put_row(uint64_t address, uint64_t target)
{
    if (!rows && !make_rows())
        return false;
    struct row *row = row_of(address);
    if (row->address == 0 && ++row_count > ROWS_MOST) {
        row_count--;
        return false;
    }
    __atomic_store_n(&row->target, target, __ATOMIC_RELAXED);
    /* release; pairs with row_of() */
    __atomic_store_n(&row->address, address, __ATOMIC_RELEASE);
    return true;
}

uint64_t shim_live_target(uint64_t address)
{
    /* acquire; pairs with make_rows() */
    if (!__atomic_load_n(&rows, __ATOMIC_ACQUIRE))
        return 0;
    const struct row *row = row_of(address);
    return row->address == address
               ? __atomic_load_n(&row->target, __ATOMIC_RELAXED)
               : 0;
}

void shim_live_forget(uint64_t low, uint64_t high)
{
    for (uint32_t i = 0; row_count && i < ROWS; i++) {
        if (rows[i].address >= low && rows[i].address < high)
            __atomic_store_n(&rows[i].target, UINT64_C(0), __ATOMIC_RELAXED);
    }
}

/* ---- pads --------------------------------------------------------------- */

struct pad_page {
    uint64_t base;
    uint8_t used[PAGE / 8]; /* a bit per byte */
};
static struct pad_page *pages; /* PAD_PAGES of address space */
static uint32_t page_count;

/* Does a jump from behind `from` to `to` have traps where they must be? */
static bool is_fit(const struct plan_patch *patch, uint64_t to)
{
    int64_t distance = (int64_t)(to - (patch->patch_at + PLAN_PATCH_BYTES));
    uint32_t field = (uint32_t)distance;
    if (distance != (int32_t)distance)
        return false;
    for (uint32_t i = 0; i < patch->boundary_count; i++) {
        uint32_t byte = patch->boundary[i].at - 1u;
        if ((field >> 8 * byte & 0xff) != TRAP)
            return false;
    }
    return true;
}

static bool take_bytes(struct pad_page *page, uint64_t at)
{
    uint64_t first = at - page->base;
    if (first > PAGE - SHIM_ISLAND_COPY)
        return false;
    for (uint64_t i = first; i < first + SHIM_ISLAND_COPY; i++) {
        if (page->used[i / 8] & 1u << i % 8)
            return false;
    }
    for (uint64_t i = first; i < first + SHIM_ISLAND_COPY; i++)
        page->used[i / 8] |= (uint8_t)(1u << i % 8);
    return true;
}

static bool find_in_page(const struct plan_patch *patch, struct pad_page *page,
                         uint64_t *at)
{
    for (uint64_t i = page->base; i <= page->base + PAGE - SHIM_ISLAND_COPY;
         i++) {
        if (is_fit(patch, i) && take_bytes(page, i)) {
            *at = i;
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

/* A distance with its traps in place and the rest by chance; below the
 * function unless `above`. */
static uint64_t propose(const struct plan_patch *patch, uint64_t *seed,
                        bool above)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    uint32_t field = (uint32_t)(*seed >> 20);
    field = above ? field & 0x7fffffff : field | 0x80000000;
    for (uint32_t i = 0; i < patch->boundary_count; i++) {
        uint32_t shift = 8 * (patch->boundary[i].at - 1u);
        field = (field & ~(UINT32_C(0xff) << shift)) | (uint32_t)TRAP << shift;
    }
    return patch->patch_at + PLAN_PATCH_BYTES +
           (uint64_t)(int64_t)(int32_t)field;
}

static int take_pad(const struct plan_patch *patch, uint64_t *at)
{
    uint64_t seed = patch->patch_at | 1;
    if (!pages) {
        void *got =
            mmap(NULL, PAD_PAGES * sizeof(*pages), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (got == MAP_FAILED)
            return -ENOSPC;
        pages = got;
    }
    for (uint32_t i = page_count; i > 0 && page_count - i < PAD_LOOK; i--) {
        if (find_in_page(patch, &pages[i - 1], at))
            return 0;
    }
    for (uint32_t i = 0; page_count < PAD_PAGES && i < PAD_TRIES; i++) {
        uint64_t to = propose(patch, &seed, i >= PAD_TRIES / 2);
        if (to < LOWEST || to >> 47 != 0 ||
            to % PAGE > PAGE - SHIM_ISLAND_COPY || !is_fit(patch, to) ||
            !map_page(to & ~(uint64_t)(PAGE - 1)))
            continue;
        struct pad_page *page = &pages[page_count++];
        page->base = to & ~(uint64_t)(PAGE - 1);
        *at = to;
        return take_bytes(page, to) ? 0 : -ENOSPC;
    }
    return -ENOSPC;
}

/* ---- applying ----------------------------------------------------------- */

static int sync_cores(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE,
                   0, 0) == 0
               ? 0
               : -errno;
}

int shim_live_start(void)
{
    if (syscall(SYS_membarrier,
                MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) != 0)
        return -errno;
    return sync_cores();
}

static int put_rows(const struct plan_patch *patch, uint64_t island)
{
    bool ok = put_row(patch->patch_at, island);
    for (uint32_t i = 0; ok && i < patch->boundary_count; i++)
        ok = put_row(patch->patch_at + patch->boundary[i].at,
                     island + SHIM_ISLAND_COPY + patch->boundary[i].copy);
    return ok ? 0 : -ENOSPC;
}

static int write_traps(const struct plan_patch *patch)
{
    static const uint8_t trap = TRAP;
    int err = shim_write_text(patch->patch_at, &trap, 1);
    for (uint32_t i = 0; err == 0 && i < patch->boundary_count; i++)
        err =
            shim_write_text(patch->patch_at + patch->boundary[i].at, &trap, 1);
    return err ? err : sync_cores();
}

/* The other way round: the tail, boundaries last, then the first byte. The
 * rows stay: a core may still be about to trap. */
static void undo(const struct plan_patch *patch)
{
    uint8_t tail[PLAN_PATCH_BYTES];
    memcpy(tail, patch->original, sizeof(tail));
    for (uint32_t i = 0; i < patch->boundary_count; i++)
        tail[patch->boundary[i].at] = TRAP;
    (void)!shim_write_text(patch->patch_at + 1, tail + 1, sizeof(tail) - 1);
    (void)!sync_cores();
    for (uint32_t i = 0; i < patch->boundary_count; i++) {
        uint8_t at = patch->boundary[i].at;
        (void)!shim_write_text(patch->patch_at + at, &patch->original[at], 1);
    }
    (void)!shim_write_text(patch->patch_at, patch->original, 1);
    (void)!sync_cores();
}

static int write_jump(const struct plan_patch *patch, uint64_t to)
{
    uint8_t jump[PLAN_PATCH_BYTES];
    int err = shim_make_jump(jump, patch->patch_at, to);
    if (err)
        return err;
    err = write_traps(patch);
    if (err == 0)
        err = shim_write_text(patch->patch_at + 1, jump + 1, sizeof(jump) - 1);
    if (err == 0)
        err = sync_cores();
    if (err == 0)
        err = shim_write_text(patch->patch_at, jump, 1);
    if (err == 0)
        err = sync_cores();
    if (err)
        undo(patch);
    return err;
}

int shim_live_apply(const struct plan_patch *patch, uint64_t island,
                    uint64_t stub)
{
    uint8_t pad[SHIM_ISLAND_COPY];
    uint64_t to = island;
    int err = shim_island_fill(patch, island, stub);
    if (err)
        return err;
    if (patch->boundary_count > 0) {
        err = take_pad(patch, &to);
        if (err)
            return err;
        shim_make_jump_through_memory(pad, stub);
        err = shim_write_text(to, pad, sizeof(pad));
        if (err)
            return err;
    }
    err = put_rows(patch, island);
    return err ? err : write_jump(patch, to);
}
