/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the CPU's extended state shim_call_slow() saves, and how. Once, in
 * the constructor, before any stub can be reached.
 *
 * Saved: x87, SSE, AVX and the three AVX-512 parts, if the system enabled
 * them. Not: PKRU (belongs to the thread, not to the call) and AMX tiles (no
 * call may keep values there, and 8 KiB would not fit small signal stacks).
 */
#include "shim/x86_64/entry.h"

#include <cpuid.h>

enum {
    STATE_WANTED = 0xe7, /* XCR0 bits 0-2, 5-7 */
    LEGACY_BYTES = 512,
    HEADER_BYTES = 64,
    ALIGN = 64,
    COMPONENTS = 32,
    TILE_STATE = 3 << 17, /* bits of AMX */
};

uint64_t shim_xsave_bytes = LEGACY_BYTES;
uint32_t shim_xsave_mask;
uint32_t shim_xsave_kind = SHIM_FXSAVE;

shim_enter_fn *shim_enter;
shim_leave_fn *shim_leave;
static uint64_t pass_never(uint64_t site)
{
    (void)site;
    return 0;
}
shim_pass_fn *shim_pass = pass_never;
__thread uint64_t shim_floor;

/* Asked for once: in a virtual machine each answer is an exit to its host. */
static struct component {
    uint32_t size, offset, flags;
} components[COMPONENTS];

static void read_components(uint32_t mask)
{
    uint32_t unused;
    for (uint32_t i = 2; i < COMPONENTS; i++) {
        struct component *c = &components[i];
        if (mask & (1u << i))
            __cpuid_count(0xd, i, c->size, c->offset, c->flags, unused);
    }
}

static uint64_t align(uint64_t bytes)
{
    return (bytes + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
}

/* SDM 1, 13.4.2 and 13.4.3: offset and size of each component; in compacted
 * form one after the other, some aligned to 64. */
static uint64_t area_bytes(uint32_t mask, bool is_compact)
{
    uint64_t end = LEGACY_BYTES + HEADER_BYTES;
    for (uint32_t i = 2; i < COMPONENTS; i++) {
        const struct component *c = &components[i];
        if ((mask & (1u << i)) == 0 || c->size == 0)
            continue;
        if (is_compact)
            end = (c->flags & 2 ? align(end) : end) + c->size;
        else if (c->offset + c->size > end)
            end = c->offset + c->size;
    }
    return end;
}

uint64_t shim_state_bytes(void)
{
    return area_bytes(UINT32_MAX, false);
}

void shim_start(void)
{
    uint32_t a, b, c, d, low, high;
    __cpuid(1, a, b, c, d);
    if ((c & bit_OSXSAVE) == 0)
        return;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    __cpuid_count(0xd, 1, a, b, c, d);
    bool is_compact = (a & 2) != 0;
    read_components(low & ~(uint32_t)TILE_STATE);
    shim_xsave_mask = low & STATE_WANTED;
    shim_xsave_bytes = align(area_bytes(shim_xsave_mask, is_compact));
    shim_xsave_kind = is_compact ? SHIM_XSAVEC : SHIM_XSAVE;
}
