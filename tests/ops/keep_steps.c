/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   keep_steps STORE BYTES
 *
 * Retention of a store to a size, step by step as the sidecar does it between
 * its batches. Prints the number of steps and the longest one in microseconds
 * of CPU time (what a batch waits for, on a machine that does nothing else).
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tools/store/retention.h"

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char **argv)
{
    char why[1024];
    struct retention *r;
    struct retention_done done = {0};
    int64_t longest = 0;
    int steps = 0, rc;
    if (argc != 3 || retention_open(argv[1], &r, why, sizeof why) != 0)
        return 2;
    struct retention_rules rules = {-1, -1, atoll(argv[2]), false};
    do {
        int64_t begin = cpu_ns();
        rc = retention_step(r, &rules, (int64_t)time(NULL) * 1000000000, &done);
        int64_t took = cpu_ns() - begin;
        longest = took > longest ? took : longest;
        steps++;
    } while (rc > 0);
    retention_close(r);
    printf("%d %lld %lld\n", steps, (long long)longest / 1000,
           (long long)(done.spans + done.thinned_spans));
    return rc < 0;
}
