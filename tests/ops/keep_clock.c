/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sidecar's retention (tools/sidecar/keep.c) on a store, while the wall
 * clock is set: keep_clock STORE SECONDS... looks, sets the clock by so much,
 * looks again, and so on.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tools/sidecar/keep.h"

static int64_t set_by_s;

/* In the place of the library's. */
int clock_gettime(clockid_t clock, struct timespec *t)
{
    long rc = syscall(SYS_clock_gettime, clock, t);
    if (clock == CLOCK_REALTIME)
        t->tv_sec += set_by_s;
    return (int)rc;
}

static void look(struct keep *keep, const char *store, int64_t at_ns)
{
    while (keep_step(keep, store, false, at_ns))
        ;
}

int main(int argc, char **argv)
{
    struct keep keep = {0};
    if (argc < 2)
        return 2;
    look(&keep, argv[1], 0);
    for (int i = 2; i < argc; i++) {
        set_by_s += atoll(argv[i]);
        look(&keep, argv[1], (int64_t)i * 100 * 1000000000);
    }
    keep_end(&keep);
    return 0;
}
