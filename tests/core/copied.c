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

#include "lane/format/layout.h"

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
/* Both the same code, so that the calls stand at the same address: the second
 * coroutine's calls make the first one's look dead. */
static int (*volatile current)(int);
static int expected, calls;
static void run(void)
{
    for (int i = 0; i < calls; i++)
        results += current(20) == expected;
    setcontext(&home);
}

static void start(ucontext_t *context, int (*stub)(int), int result, int count)
{
    getcontext(context);
    context->uc_stack.ss_sp = stack;
    context->uc_stack.ss_size = STACK;
    context->uc_link = NULL;
    current = stub;
    expected = result;
    calls = count;
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
        start(&first, stub_handler, 21, 1);
        saved = first;
        saved.uc_mcontext.fpregs = &saved.__fpregs_mem;
        memcpy(copy, stack, STACK);
        start(&second, stub_other, 40, 3);
        memcpy(stack, copy, STACK);
        expected = 21;
        calls = 1;
        swapcontext(&home, &saved);
        CHECK(results == 4);
    }
    /* three calls of `other` each; `handler` once, by whatever end */
    struct harness_record record;
    int handlers = 0, others = 0;
    while (harness_next(&record)) {
        bool is_handler = strcmp(record.name, "handler") == 0;
        handlers += is_handler;
        CHECK((record.end == LANE_END_LONGJMP) == is_handler);
        others += strcmp(record.name, "other") == 0;
    }
    printf("%d handlers, %d others, depth %d\n", handlers, others,
           (int)harness_depth());
    CHECK(others == 3 * ROUNDS);
    CHECK(handlers == ROUNDS);
    CHECK(harness_depth() == 0);
    return harness_end();
}
