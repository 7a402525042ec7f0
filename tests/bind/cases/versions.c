/* SPDX-License-Identifier: Apache-2.0 */
/* A program that was linked against an old version of a symbol keeps it, and
 * calls of each version are seen. */
#include <stdio.h>

__asm__(".symver old_load, load@SV_1\n.symver old_peek, peek@SV_1\n");
int old_load(int n), old_peek(int n), load(int n), peek(int n);

int main(void)
{
    int sum = 0;
    for (int i = 1; i <= 3; i++)
        sum += old_load(i) + old_peek(i);
    for (int i = 1; i <= 4; i++)
        sum += load(i) + 100 * peek(i);
    printf("%d\n", sum);
    return 0;
}
