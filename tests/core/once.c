// SPDX-License-Identifier: Apache-2.0
/*
 * An open entry that two threads end in the same moment is ended once. A fiber
 * whose stack nobody knows enters a handler on one thread and leaves it on
 * another, while the first leaves a call that stands just above: for that
 * thread what lies so near below is what a longjmp left. Whoever is first, each
 * call has one record.
 */
#define _GNU_SOURCE
#include "tests/core/harness.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

enum {
    TURNS = 1500,
    UPPER = 7168,    /* the stack above: the calls are less than 8 KiB apart */
    LOWER = 1 << 17, /* and the one below */
    STEP = 5,
    SPINS = 1000, /* before the processor is given to others */
};

static _Alignas(64) char stacks[LOWER + UPPER];
static void *upper, *lower, *threads[2]; /* where they stand still */
static volatile int runs;    /* the thread that runs the lower one */
static long ready, go, done; /* turns; atomic */
/* Who was first begins later in the next turn: so that they meet. */
static volatile long delay; /* of the first thread; negative: of the other */
static volatile long wrong;
static int (*volatile stub_upper)(int), (*volatile stub_lower)(int);

/* Keep where we stand in `*from`, go on at `to`. */
__attribute__((naked, noinline)) static void switch_stack(void **from, void *to)
{
    __asm__("push %rbp\n push %rbx\n push %r12\n push %r13\n"
            "push %r14\n push %r15\n mov %rsp, (%rdi)\n mov %rsi, %rsp\n"
            "pop %r15\n pop %r14\n pop %r13\n pop %r12\n"
            "pop %rbx\n pop %rbp\n ret");
}

__attribute__((noinline)) static int handle_upper(int x)
{
    volatile int y = x;
    switch_stack(&upper, threads[0]);
    return y + 1;
}
__attribute__((noinline)) static int handle_lower(int x)
{
    volatile int y = x;
    switch_stack(&lower, threads[runs]);
    return y + 1;
}

static void run_upper(void)
{
    for (;;) {
        wrong += stub_upper(4) != 5;
        switch_stack(&upper, threads[0]);
    }
}
static void run_lower(void)
{
    for (;;) {
        wrong += stub_lower(6) != 7;
        switch_stack(&lower, threads[runs]);
    }
}

/* A stack that begins with `run`: six registers, an address. */
static void *make(char *end, void (*run)(void))
{
    void **at = (void **)(void *)(end - 64);
    memset(at, 0, 64);
    at[6] = (void *)run;
    return at;
}

static void wait_for(const long *word, long turn)
{
    for (int i = 0; __atomic_load_n(word, __ATOMIC_ACQUIRE) < turn; i++)
        if (i > SPINS)
            sched_yield();
}

static void spin(long count)
{
    for (volatile long i = 0; i < count; i++)
        ;
}

/* Each has a processor of its own, where there are two. */
static void take_processor(int which)
{
    cpu_set_t all, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        return;
    for (size_t i = 0; i < CPU_SETSIZE && which >= 0; i++)
        if (CPU_ISSET(i, &all) && which-- == 0) {
            CPU_SET(i, &one);
            (void)sched_setaffinity(0, sizeof one, &one);
        }
}

static void *run_other(void *unused)
{
    take_processor(1);
    for (long turn = 1; turn <= TURNS; turn++) {
        __atomic_store_n(&ready, turn, __ATOMIC_RELEASE);
        wait_for(&go, turn);
        spin(-delay);
        switch_stack(&threads[1], lower); /* its handler returns */
        __atomic_store_n(&done, turn, __ATOMIC_RELEASE);
    }
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t other;
    struct harness_record record;
    long uppers = 0, lowers = 0, left = 0;
    harness_start(argc > 1 ? argv[1] : "F");
    stub_upper = harness_stub("upper", handle_upper);
    stub_lower = harness_stub("lower", handle_lower);
    lower = make(stacks + LOWER, run_lower);
    upper = make(stacks + LOWER + UPPER, run_upper);
    pthread_create(&other, NULL, run_other, NULL);
    take_processor(0);
    for (long turn = 1; turn <= TURNS; turn++) {
        runs = 0;
        switch_stack(&threads[0], upper); /* both stand in their handlers */
        switch_stack(&threads[0], lower);
        runs = 1;
        wait_for(&ready, turn);
        __atomic_store_n(&go, turn, __ATOMIC_RELEASE);
        spin(delay);
        switch_stack(&threads[0], upper); /* its handler returns */
        wait_for(&done, turn);
        long before = left;
        for (uint32_t lane = 0; lane < harness_lanes(); lane++)
            while (harness_next_of(lane, &record)) {
                uppers += strcmp(record.name, "upper") == 0;
                lowers += strcmp(record.name, "lower") == 0;
                left += record.end != 0;
            }
        delay += left > before ? STEP : -STEP;
    }
    pthread_join(other, NULL);
    printf("%d turns, %ld and %ld records, %ld ended as left\n", TURNS, uppers,
           lowers, left);
    CHECK(wrong == 0);
    CHECK(uppers == TURNS);
    CHECK(lowers == TURNS);
    return harness_end();
}
