/* SPDX-License-Identifier: Apache-2.0 */
/* Closes every descriptor, as daemons do, and works on. */
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>

__attribute__((noipa)) int work(int n)
{
    __asm__ volatile("");
    return n * 5 + 1;
}
int main(void)
{
    int sum = work(0);
    closefrom(3);
    for (int i = 0; i < 1000; i++)
        sum += work(i);
    printf("%d\n", sum);
    fflush(stdout);
    closefrom(0);
    for (int i = 0; i < 1000; i++)
        sum += work(i);
    return sum % 100;
}
