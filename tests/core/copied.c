// SPDX-License-Identifier: Apache-2.0
/*
 * A coroutine whose stack is copied away, overwritten by another coroutine and
 * copied back (greenlets). Its handler must return as if nothing had happened,
 * though its frame looked dead meanwhile.
 */
#define _GNU_SOURCE
#include "tests/core/harness.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

enum {
    STACK = 262144,
    ROUNDS = 50,
};

static ucontext_t home, first, second, saved;
static _Alignas(64) char stack[STACK], copy[STACK];
static int results;
static int (*volatile stub_handler)(int), (*volatile stub_other)(int);

__attribute__((noinline)) static int handler(int x)
{
    volatile int y = x;
    swapcontext(&first, &home); /* copied away here */
    return y + 1;
}
__attribute__((noinline)) static int other(int x)
{
    volatile int y = x;
    return y * 2;
}
static void run_first(void)
{
    volatile char pad[1024];
    pad[0] = 1;
    results += stub_handler(41) == 42;
    (void)pad[0];
    setcontext(&home);
}
static void run_second(void)
{
    for (int i = 0; i < 3; i++)
        results += stub_other(i) == 2 * i;
    setcontext(&home);
}

static void start(ucontext_t *context, void (*run)(void))
{
    getcontext(context);
    context->uc_stack.ss_sp = stack;
    context->uc_stack.ss_size = STACK;
    context->uc_link = NULL;
    makecontext(context, run, 0);
    swapcontext(&home, context);
}

int main(int argc, char **argv)
{
    harness_start(argc > 1 ? argv[1] : "F");
    stub_handler = harness_stub("handler", handler);
    stub_other = harness_stub("other", other);
    for (int i = 0; i < ROUNDS; i++) {
        results = 0;
        start(&first, run_first);
        saved = first;
        saved.uc_mcontext.fpregs = &saved.__fpregs_mem;
        memcpy(copy, stack, STACK);
        start(&second, run_second);
        memcpy(stack, copy, STACK);
        swapcontext(&home, &saved);
        CHECK(results == 4);
    }
    /* three calls of `other` each; `handler` once, by whatever end */
    struct harness_record record;
    int handlers = 0, others = 0;
    while (harness_next(&record)) {
        handlers += strcmp(record.name, "handler") == 0;
        others += strcmp(record.name, "other") == 0;
    }
    printf("%d handlers, %d others, depth %d\n", handlers, others,
           (int)harness_depth());
    CHECK(others == 3 * ROUNDS);
    CHECK(handlers == ROUNDS);
    CHECK(harness_depth() == 0);
    return harness_end();
}
