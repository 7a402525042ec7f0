/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader calls r_debug->r_brk, a function that does nothing, whenever its
 * list of objects is about to change or has changed: a debugger's breakpoint.
 * We let it jump to a stub of ours instead. At that moment new objects are
 * mapped, not yet relocated, and none of their code has run.
 *
 * A wrapper around dlopen could not do this: the caller's RUNPATH is found by
 * the address that dlopen returns to.
 */
#include "shim/shim.h"
#include <errno.h>
#include <string.h>

enum {
    JUMP_BYTES = 5,
    ENDBR_BYTES = 4,
    ALIGN = 16
};

void shim_notify_stub(void); /* notify.S */
extern long (*shim_notified)(long, long) __attribute__((visibility("hidden")));
long (*shim_notified)(long, long);

/* `ret` and four bytes that are certainly padding: the function starts
 * aligned and nothing else does before the next boundary. */
static bool is_empty_function(const uint8_t *at, size_t room)
{
    static const uint8_t pads[][4] = {
        {0x66, 0x66, 0x2e, 0x0f}, {0x66, 0x2e, 0x0f, 0x1f},
        {0x66, 0x66, 0x66, 0x2e}, {0x90, 0x90, 0x90, 0x90},
        {0xcc, 0xcc, 0xcc, 0xcc}, {0x0f, 0x1f, 0x80, 0x00},
        {0x0f, 0x1f, 0x40, 0x00}, {0x0f, 0x1f, 0x84, 0x00},
        {0x0f, 0x1f, 0x44, 0x00}, {0x66, 0x0f, 0x1f, 0x44},
        {0x66, 0x0f, 0x1f, 0x84}, {0x66, 0x90, 0x66, 0x90},
        {0x66, 0x66, 0x66, 0x66}, {0x66, 0x66, 0x66, 0x90},
    };
    if (room < JUMP_BYTES || at[0] != 0xc3)
        return false;
    for (size_t i = 0; i < sizeof(pads) / sizeof(*pads); i++) {
        if (memcmp(at + 1, pads[i], sizeof(pads[i])) == 0)
            return true;
    }
    return false;
}

int shim_loader_notify(uint64_t r_brk, long (*notified)(long, long))
{
    static const uint8_t endbr[ENDBR_BYTES] = {0xf3, 0x0f, 0x1e, 0xfa};
    const uint8_t *at = (const uint8_t *)r_brk;
    size_t room = ALIGN;
    uint8_t head[SHIM_ISLAND_COPY] = {0xff, 0x25}, jump[JUMP_BYTES] = {0xe9};
    uint64_t island, stub = (uint64_t)&shim_notify_stub;
    if (!r_brk || r_brk % ALIGN != 0)
        return -ENOTSUP;
    if (memcmp(at, endbr, sizeof(endbr)) == 0) {
        at += ENDBR_BYTES;
        room -= ENDBR_BYTES;
    }
    if (!is_empty_function(at, room))
        return -ENOTSUP;
    int err = shim_island_take(r_brk, r_brk, sizeof(head), &island);
    if (err)
        return err;
    shim_notified = notified;
    memcpy(head + 6, &stub, sizeof(stub));
    err = shim_write_text(island, head, sizeof(head));
    if (err)
        return err;
    uint32_t distance = (uint32_t)(island - ((uint64_t)at + JUMP_BYTES));
    memcpy(jump + 1, &distance, sizeof(distance));
    return shim_write_text((uint64_t)at, jump, sizeof(jump));
}
