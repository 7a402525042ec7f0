// SPDX-License-Identifier: Apache-2.0
/*
 * A traced program that says what address space it has: VmSize in KiB. With
 * "work N": then makes N calls of work(). "lock": locks its memory, and says
 * what of it is resident.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static volatile long sink;

int work(int n);
__attribute__((noinline)) int work(int n)
{
    sink += n;
    return n + 1;
}

int main(int argc, char **argv)
{
    char line[256];
    long kib = 0;
    work(argc);
    bool is_locked = argc > 1 && strcmp(argv[1], "lock") == 0;
    if (is_locked && mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        return 77;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof(line), status))
        if (sscanf(line, is_locked ? "VmRSS: %ld" : "VmSize: %ld", &kib) == 1)
            break;
    if (status)
        fclose(status);
    printf("%ld\n", kib);
    for (long i = argc > 2 ? atol(argv[2]) : 0; i > 0; i--)
        work((int)i);
    return 0;
}
