// SPDX-License-Identifier: Apache-2.0
/*
 * A conservative collector scans stack and registers for pointers. Under F it
 * finds what a caller keeps in rbp alone; Z is known to hide it (TRAPS), which
 * is why F comes first. This test holds both to what is said of them.
 */
#define _GNU_SOURCE
#include "tests/core/harness.h"

#include <stdint.h>
#include <stdio.h>

uintptr_t key = 0x5a5a5a5a;
void (*volatile function)(void);
static uintptr_t base;
static int found;

__attribute__((noinline)) static void scan(void)
{
    uint64_t registers[6];
    uintptr_t wanted = ~key;
    __asm__ volatile("mov %%rbx, 0(%0); mov %%rbp, 8(%0); mov %%r12, 16(%0)\n"
                     "mov %%r13, 24(%0); mov %%r14, 32(%0); mov %%r15, 40(%0)"
                     :
                     : "r"(registers)
                     : "memory");
    found = 0;
    for (int i = 0; i < 6; i++)
        found += registers[i] == wanted;
    for (uint64_t *at = __builtin_frame_address(0); (uintptr_t)at < base; at++)
        found += *at == wanted;
}

/* Keeps ~key in rbp, and nowhere else, over a call of `function`. */
void caller(void);
__asm__(".globl caller\ncaller: .cfi_startproc\n push %rbp\n"
        ".cfi_def_cfa_offset 16\n .cfi_offset 6, -16\n"
        " mov key(%rip), %rbp\n not %rbp\n"
        " call *function(%rip)\n pop %rbp\n"
        ".cfi_def_cfa_offset 8\n ret\n .cfi_endproc\n");

int main(int argc, char **argv)
{
    base = (uintptr_t)__builtin_frame_address(0);
    harness_start(argc > 1 ? argv[1] : "F");
    function = scan;
    caller();
    int plain = found;
    function = harness_stub("scan", scan);
    caller();
    caller();
    printf("untraced %d, traced %d\n", plain, found);
    CHECK(plain > 0);
    CHECK((found > 0) == !harness_is_zero());
    return harness_end();
}
