/* SPDX-License-Identifier: Apache-2.0 */
/* No symbols are left: handlers by address. */
#include <stdio.h>

__attribute__((noipa)) static int decode_page(void *page, int n)
{
    return page ? n * 2 : -1;
}
__attribute__((noipa)) static int other(int n)
{
    return n + 3;
}

int main(int argc, char **argv)
{
    int sum = 0;
    for (int i = 0; i < 5; i++)
        sum += decode_page(argv, i + argc) + other(i);
    printf("%d\n", sum);
    return 0;
}
