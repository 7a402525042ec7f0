/* SPDX-License-Identifier: Apache-2.0 */
/* A program with a collector that reads stacks word by word (by what it
 * exports): a handler that only Z could carry is refused, because Z keeps what
 * its caller has in rbp out of the stack; others are seen. */
#include <stdio.h>

void GC_gcollect(void);
int stage(int n);
int plain(int n);

void GC_gcollect(void)
{
}

static int answer(int n)
{
    return n + 1;
}
static int (*volatile table[2])(int) = {answer, answer};

/* ends in a jump to where nobody knows */
__attribute__((noipa)) int stage(int n)
{
    return table[n & 1](n);
}

__attribute__((noipa)) int plain(int n)
{
    for (int i = 0; i < 3; i++)
        __asm__ volatile("" : "+r"(n));
    return n + 2;
}

int main(void)
{
    int sum = 0;
    for (int i = 0; i < 3; i++)
        sum += stage(i) + plain(i);
    printf("%d\n", sum);
    return 0;
}
