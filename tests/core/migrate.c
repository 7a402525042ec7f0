// SPDX-License-Identifier: Apache-2.0
/*
 * A fiber enters a handler on one thread, is resumed and leaves it on another,
 * while both go on calling handlers. Each call has exactly one record.
 */
#define _GNU_SOURCE
#include "tests/core/harness.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

enum {
    TURNS = 20000,
    OTHERS = 3, /* calls between turns */
};

static ucontext_t back[2], fiber;
static _Alignas(64) char stack[262144];
static volatile int running;    /* the thread that resumed the fiber */
static volatile int turn;       /* whose turn it is; atomic */
static volatile long wrong, returned;
static int (*volatile stub_handler)(int), (*volatile stub_other)(int);

__attribute__((noinline)) static int handler(int x)
{
    volatile int y = x;
    swapcontext(&fiber, &back[running]);
    return y + 1;
}
__attribute__((noinline)) static int other(int x)
{
    volatile int y = x;
    return y * 2;
}

static void run_fiber(void)
{
    for (;;) {
        if (stub_handler(41) != 42)
            wrong++;
        returned++;
    }
}

static void *run_thread(void *arg)
{
    int me = (int)(long)arg;
    for (long i = 0; i < TURNS; i++) {
        for (int k = 0; k < OTHERS; k++)
            if (stub_other(4) != 8)
                wrong++;
        while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != me)
            sched_yield();
        running = me;
        swapcontext(&back[me], &fiber);
        __atomic_store_n(&turn, !me, __ATOMIC_RELEASE);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[2];
    struct harness_record record;
    long handlers = 0, others = 0, left = 0;
    harness_start(argc > 1 ? argv[1] : "F");
    stub_handler = harness_stub("handler", handler);
    stub_other = harness_stub("other", other);
    getcontext(&fiber);
    fiber.uc_stack.ss_sp = stack;
    fiber.uc_stack.ss_size = sizeof stack;
    makecontext(&fiber, run_fiber, 0);
    for (long i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, run_thread, (void *)i);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (uint32_t lane = 0; lane < harness_lanes(); lane++)
        while (harness_next_of(lane, &record)) {
            handlers += strcmp(record.name, "handler") == 0;
            others += strcmp(record.name, "other") == 0;
            left += record.end != 0;
        }
    printf("%ld moves, %ld records of them, %ld others\n", returned, handlers,
           others);
    CHECK(wrong == 0);
    CHECK(returned == 2 * TURNS - 1);
    CHECK(handlers == returned); /* the last one is open still */
    CHECK(others == 2l * TURNS * OTHERS);
    CHECK(left == 0);
    return harness_end();
}
