// SPDX-License-Identifier: Apache-2.0
/*
 * An entry of open spans under three threads: its owner opens calls in it, ends
 * some itself and takes others for dead, while each of the two others returns
 * from calls that it was given, also from such as were ended long ago. Each
 * call ends once, and nobody ends one that is not his.
 *
 *   taken [hasty]    hasty: by copy and claim, as it was done once; must fail
 */
#include "tests/core/harness.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "preload/call/record/span_internal.h"

enum {
    CALLS = 300000,
    SPINS = 3000, /* where the other one does not run now */
    OTHERS = 2,
    SP = 4096,
};

static struct lane_open entry;
static uint8_t ends[CALLS + 1]; /* of each call */
static uint64_t given[OTHERS];  /* the call that each returns from */
static uint64_t begun[OTHERS];  /* ... begins to */
static int over;
static pthread_barrier_t begin;
static bool is_hasty;

static bool take(uint64_t span)
{
    struct lane_open copy = entry;
    uint64_t state = LANE_OPEN_CALL;
    copy.state = LANE_OPEN_CALL;
    if (copy.span != span)
        return false;
    if (!is_hasty)
        return span_take(&entry, &copy);
    return __atomic_compare_exchange_n(&entry.state, &state, LANE_OPEN_DONE,
                                       false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

static void *return_elsewhere(void *arg)
{
    uint64_t *mine = arg, *mark = &begun[mine - given];
    pthread_barrier_wait(&begin);
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        uint64_t span = __atomic_load_n(mine, __ATOMIC_ACQUIRE);
        __atomic_store_n(mark, span, __ATOMIC_RELEASE);
        if (span != 0 && take(span))
            __atomic_fetch_add(&ends[span], 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void open_call(uint64_t span)
{
    entry.span = span;
    entry.sp = SP;
    __atomic_store_n(&entry.state, (uint64_t)LANE_OPEN_CALL, __ATOMIC_RELEASE);
}

static void give(uint64_t span)
{
    int to = span / 3 % OTHERS, spins = 0;
    __atomic_store_n(&given[to], span, __ATOMIC_RELEASE);
    while (__atomic_load_n(&begun[to], __ATOMIC_ACQUIRE) != span &&
           spins < SPINS)
        spins++;
}

/* What its thread does with a call: returns from it, or gives its fiber away
 * and takes it for dead. */
static void end_call(uint64_t span)
{
    if (span % 3 != 0) {
        if (span_state(&entry) == LANE_OPEN_CALL)
            ends[span]++;
    } else {
        give(span);
        struct lane_open copy = entry;
        if ((copy.state & LANE_OPEN_STATE) == LANE_OPEN_CALL &&
            span_claim(&entry, &copy))
            __atomic_fetch_add(&ends[span], 1, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&entry.state, (uint64_t)LANE_OPEN_FREE, __ATOMIC_RELEASE);
}

int main(int argc, char **argv)
{
    pthread_t threads[OTHERS];
    long wrong = 0;
    is_hasty = argc > 1 && strcmp(argv[1], "hasty") == 0;
    pthread_barrier_init(&begin, NULL, OTHERS + 1);
    for (long i = 0; i < OTHERS; i++)
        pthread_create(&threads[i], NULL, return_elsewhere, &given[i]);
    pthread_barrier_wait(&begin);
    for (uint64_t span = 1; span <= CALLS; span++) {
        open_call(span);
        end_call(span);
    }
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < OTHERS; i++)
        pthread_join(threads[i], NULL);
    for (uint64_t span = 1; span <= CALLS; span++)
        wrong += ends[span] != 1;
    printf("%d calls, %ld not ended once\n", CALLS, wrong);
    return wrong != 0;
}
