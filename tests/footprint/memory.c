// SPDX-License-Identifier: Apache-2.0
/*
 * A traced program that says what address space it has: VmSize in KiB. With
 * "work N": then makes N calls of work(). "lock": locks its memory, and says
 * what of it is resident. "limit KIB", "limit+ KIB": as one who may lock no
 * more than that, and says what is locked; "+": what comes later, too.
 */
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile long sink;

int work(int n);
__attribute__((noinline)) int work(int n)
{
    sink += n;
    return n + 1;
}

/* As one who may not lock more. */
static int lock_below(long kib, bool is_future)
{
    struct rlimit limit = {(rlim_t)kib << 10, (rlim_t)kib << 10};
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 ||
        syscall(SYS_capget, &header, data) != 0)
        return -1;
    data[0].effective &= ~(1u << CAP_IPC_LOCK);
    data[0].permitted &= ~(1u << CAP_IPC_LOCK);
    if (syscall(SYS_capset, &header, data) != 0)
        return -1;
    return mlockall(MCL_CURRENT | (is_future ? MCL_FUTURE : 0));
}

int main(int argc, char **argv)
{
    char line[256];
    long kib = 0;
    work(argc);
    bool is_locked = argc > 1 && strcmp(argv[1], "lock") == 0;
    bool is_limited = argc > 1 && strncmp(argv[1], "limit", 5) == 0;
    if (is_locked && mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        return 77;
    if (is_limited && lock_below(atol(argv[2]), argv[1][5] == '+') != 0)
        return 77;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof(line), status))
        if (sscanf(line,
                   is_locked    ? "VmRSS: %ld"
                   : is_limited ? "VmLck: %ld"
                                : "VmSize: %ld",
                   &kib) == 1)
            break;
    if (status)
        fclose(status);
    printf("%ld\n", kib);
    for (long i = argc > 2 && !is_limited ? atol(argv[2]) : 0; i > 0; i--)
        work((int)i);
    return 0;
}
