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
 * The jump leads to a pad (pad.c), a jump through memory to the stub.
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
    TRAP = 0xcc,
    ROWS = 16384, /* power of two */
    ROWS_MOST = ROWS / 2,
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

/* Traps where they must be; and if it can be had what a breakpoint wants
 * (patch.c). */
static int take_pad(const struct plan_patch *patch, uint64_t *at)
{
    uint32_t mask = 0, value = 0;
    for (uint32_t i = 0; i < patch->boundary_count; i++) {
        uint32_t shift = 8 * (patch->boundary[i].at - 1u);
        mask |= UINT32_C(0xff) << shift;
        value |= (uint32_t)TRAP << shift;
    }
    uint32_t first = (UINT32_C(1) << 8 * (patch->boundary[0].at - 1u)) - 1;
    uint32_t original;
    memcpy(&original, patch->original + 1, sizeof(original));
    struct shim_puns puns = {
        2, {{mask | first, value | (original & first)}, {mask, value}}};
    return shim_pad_take(patch, &puns, true, at);
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
