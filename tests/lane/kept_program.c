/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call that is open when its lane runs full: its record is kept beside the
 * log. Says so, then waits for a line.
 *
 * usage: kept_program CALLS
 */
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) long inner(long number);
__attribute__((noinline)) long outer(long calls);

long inner(long number)
{
    __asm__ volatile("" ::: "memory");
    return number * 3;
}

long outer(long calls)
{
    long sum = 0;
    for (long i = 0; i < calls; i++)
        sum += inner(i);
    return sum;
}

int main(int argc, char **argv)
{
    char line[16];
    printf("%ld\n", outer(argc > 1 ? atol(argv[1]) : 1));
    fflush(stdout);
    return fgets(line, sizeof line, stdin) ? 0 : 1;
}
