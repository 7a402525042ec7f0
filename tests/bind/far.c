/* SPDX-License-Identifier: Apache-2.0 */
/* For test_changed.py: 3 GiB of static data lie behind the text. */
#include <stdio.h>

static char first[1500u << 20], second[1500u << 20];
static long near = 5;

__attribute__((noipa)) long leaf(long n)
{
    return n + near;
}

int main(void)
{
    long sum = 0;
    first[7] = second[9] = 1;
    for (int i = 0; i < 50; i++)
        sum += leaf(i);
    printf("%ld %d\n", sum, first[7] + second[9]);
}
