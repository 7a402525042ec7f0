/* SPDX-License-Identifier: Apache-2.0 */
/* So many calls without a pause, within another one; then it lives until its
 * input ends. */
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) long step(long number);
long step(long number)
{
    __asm__ volatile("" : "+r"(number)::"memory");
    return number;
}

__attribute__((noinline)) long whole(long count);
long whole(long count)
{
    long sum = 0;
    for (long i = 0; i < count; i++)
        sum += step(i);
    return sum;
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    (void)whole(count);
    puts("called");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return 0;
}
