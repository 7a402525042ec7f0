/* SPDX-License-Identifier: Apache-2.0 */
/* A program that walks its own stack by frame pointers, and keeps the only
 * pointer to an object in its caller's rbp, as collectors that scan stacks must
 * find it: through handlers with stack arguments the chain is whole, and the
 * object is found. */
#include <stdint.h>
#include <stdio.h>

struct big {
    long v[4];
};
int outer(struct big b, int n);
int inner(struct big b, int n, int a, int c, int d, int e, int f, long seven);

static uint64_t mark = 0x5eed5eed5eed;
static int links, is_broken, is_found;
static uint64_t *top;

/* Frames upwards on the one stack, up to main's. */
static __attribute__((noipa)) void walk(void)
{
    uint64_t *frame = __builtin_frame_address(0);
    uint64_t *low = frame;
    while (frame < top && !is_broken) {
        uint64_t *next = (uint64_t *)frame[0];
        links++;
        is_broken |= next <= frame || next > top;
        frame = next;
    }
    for (uint64_t *at = low; at < top; at++)
        is_found |= *at == ~mark;
}

__attribute__((noipa)) int inner(struct big b, int n, int a, int c, int d,
                                 int e, int f, long seven)
{
    walk();
    return (int)(b.v[3] + seven) + n + a + c + d + e + f;
}

__attribute__((noipa)) int outer(struct big b, int n)
{
    return inner(b, n, 1, 2, 3, 4, 5, b.v[1]) + 1;
}

int main(void)
{
    struct big b = {{1, 2, 3, 4}};
    int sum = 0, got;
    top = __builtin_frame_address(0);
    /* nobody but rbp has it while outer runs; main's frame is put back */
    __asm__ volatile("push %%rbp; mov %%rsp, %%rbx; and $-16, %%rsp\n\t"
                     "sub $48, %%rsp\n\t"
                     "mov 0(%2), %%rax; mov %%rax, 0(%%rsp)\n\t"
                     "mov 8(%2), %%rax; mov %%rax, 8(%%rsp)\n\t"
                     "mov 16(%2), %%rax; mov %%rax, 16(%%rsp)\n\t"
                     "mov 24(%2), %%rax; mov %%rax, 24(%%rsp)\n\t"
                     "mov %3, %%rbp; not %%rbp; mov $1, %%edi\n\t"
                     "call outer\n\t"
                     "mov %%rbx, %%rsp; pop %%rbp"
                     : "=a"(got)
                     : "0"(0), "r"(b.v), "r"(mark)
                     : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10",
                       "r11", "memory", "cc");
    is_broken = links = 0; /* that was no chain of frames */
    sum += got;
    for (int i = 0; i < 3; i++)
        sum += outer(b, i);
    printf("%d, chain %s, object %s\n", sum, is_broken ? "broken" : "whole",
           is_found ? "found" : "lost");
    return is_broken || !is_found;
}
