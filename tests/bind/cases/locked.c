/* SPDX-License-Identifier: Apache-2.0 */
/* A program that locks its memory, as those with deadlines do: the sparse
 * session must neither be filled by that nor make it fail. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

__attribute__((noipa)) int work(int n)
{
    __asm__ volatile("");
    return n + 1;
}
static long locked_mib(void)
{
    char line[256];
    long kib = -1;
    FILE *from = fopen("/proc/self/status", "r");
    while (from && fgets(line, sizeof(line), from))
        if (strncmp(line, "VmLck:", 6) == 0)
            kib = atol(line + 6);
    if (from)
        fclose(from);
    return kib / 1024;
}
int main(void)
{
    int sum = work(1);
    int got = mlockall(MCL_CURRENT | MCL_FUTURE);
    for (int i = 0; i < 1000; i++)
        sum += work(i);
    printf("%d %d, little is locked: %d\n", sum, got, locked_mib() < 32);
    return 0;
}
