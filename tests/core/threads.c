// SPDX-License-Identifier: Apache-2.0
/*
 * 500 threads that start, call handlers and end, 20 at a time: each call has
 * its record, lanes are used again, and nothing of Z's entries is lost.
 */
#define _GNU_SOURCE
#include "tests/core/harness.h"

#include <pthread.h>
#include <stdio.h>

enum {
    THREADS = 500,
    AT_ONCE = 20,
    CALLS = 300,
};

static long (*volatile stub_outer)(long), (*volatile stub_inner)(long);

__attribute__((noinline)) static long inner(long x)
{
    __asm__ volatile("");
    return x + 1;
}
__attribute__((noinline)) static long outer(long x)
{
    long y = stub_inner(x);
    __asm__ volatile("");
    return y + 1;
}

static void *run(void *arg)
{
    for (long i = 0; i < CALLS; i++)
        if (stub_outer(i) != i + 2)
            return NULL;
    return arg;
}

int main(int argc, char **argv)
{
    pthread_t threads[AT_ONCE];
    struct harness_record record;
    long records = 0, bad = 0;
    harness_start(argc > 1 ? argv[1] : "F");
    stub_outer = harness_stub("outer", outer);
    stub_inner = harness_stub("inner", inner);
    for (int done = 0; done < THREADS; done += AT_ONCE) {
        for (int i = 0; i < AT_ONCE; i++)
            pthread_create(&threads[i], NULL, run, &threads[i]);
        for (int i = 0; i < AT_ONCE; i++) {
            void *result;
            pthread_join(threads[i], &result);
            CHECK(result == &threads[i]);
        }
        for (uint32_t lane = 0; lane < harness_lanes(); lane++)
            while (harness_next_of(lane, &record)) {
                records++;
                bad += record.depth > 1 || record.t1 < record.t0 ||
                       (record.depth == 0) !=
                           (record.parent == harness_process_ref());
            }
    }
    printf("%ld records in %u lanes\n", records, harness_lanes());
    CHECK(records == 2l * THREADS * CALLS);
    CHECK(bad == 0);
    CHECK(harness_lanes() < THREADS); /* lanes of the dead are taken over */
    CHECK(harness_lost() == 0);
    return harness_end();
}
