/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers in a linked library and in one linked with -Bsymbolic. */
#include <stdio.h>

int linked_sum(int n);
int symbolic_outer(int n);

int main(void)
{
    int sum = 0;
    for (int i = 0; i < 10; i++)
        sum += linked_sum(i) + symbolic_outer(i);
    printf("%d\n", sum);
    return 0;
}
