/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers in the executable: static, in a table of pointers, recursive,
 * tail-calling, and compared by address. */
#include <stdio.h>

__attribute__((noipa)) static int hidden_add(int a, int b)
{
    __asm__ volatile("");
    return a + b;
}

__attribute__((noipa)) int stage_double(int x)
{
    __asm__ volatile("");
    return 2 * x;
}
__attribute__((noipa)) int stage_square(int x)
{
    __asm__ volatile("");
    return x * x;
}
typedef int stage_fn(int x);
stage_fn *const stage_table[] = {stage_double, stage_square};

__attribute__((noipa)) int count_down(int n)
{
    int below = n == 0 ? -1 : count_down(n - 1);
    __asm__ volatile("" : "+r"(below)); /* no loop instead */
    return below + 1;
}

__attribute__((noipa)) int tail_end(int x)
{
    __asm__ volatile("");
    return x - 1;
}
__attribute__((noipa)) int tail_start(int x)
{
    __asm__ volatile("");
    return tail_end(x + 5);
}

int main(void)
{
    int sum = 0;
    for (int i = 0; i < 100; i++) {
        sum = hidden_add(sum, stage_table[i % 2](i));
        sum += count_down(5);
        sum += tail_start(i);
    }
    printf("%d %d\n", sum, stage_table[0] == stage_double);
    return sum % 100;
}
