/* SPDX-License-Identifier: Apache-2.0 */
/* Fibers on few stacks that lie side by side: each suspends inside of a step
 * and goes on on another thread; every third is destroyed there, with its steps
 * open, and its stack is the next one's. Who was left behind ends unfinished
 * (86 steps; four more end with the process) and is nobody's parent. */
#include <pthread.h>
#include <ucontext.h>

#include "step.h"

enum {
    ITEMS = 90,
    STACKS = 5,
    STACK_BYTES = 32768,
};
struct fiber {
    ucontext_t context;
    long parent;
    int is_done;
};
static char stacks[STACKS][STACK_BYTES] __attribute__((aligned(64)));
static struct fiber fibers[STACKS];
static ucontext_t scheduler;
static struct fiber *current;

static void suspend(void)
{
    swapcontext(&current->context, &scheduler);
}
static void inner(long id, void *data)
{
    (void)data;
    suspend();
    step_for(id, NULL, NULL);
}
static void outer(long id, void *data)
{
    step_for(id, inner, data);
    step_for(id, NULL, NULL);
    suspend();
}
static void body(void)
{
    step_for(current->parent, outer, NULL);
    current->is_done = 1;
    setcontext(&scheduler);
}
static void make(long id, void *data)
{
    struct fiber *fiber = data;
    *fiber = (struct fiber){.parent = id};
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = stacks[fiber - fibers];
    fiber->context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&fiber->context, body, 0);
}
static void resume(struct fiber *fiber)
{
    current = fiber;
    swapcontext(&scheduler, &fiber->context);
}
static void *resume_elsewhere(void *fiber)
{
    step_for(0, NULL, NULL);
    resume(fiber);
    step_for(0, NULL, NULL); /* not below what is suspended */
    return NULL;
}

int main(int argc, char **argv)
{
    step_start(argc, argv);
    for (int i = 0; i < ITEMS; i++) {
        struct fiber *fiber = &fibers[i % STACKS];
        step_for(0, make, fiber);
        resume(fiber); /* two steps are open on it now */
        step_for(0, NULL, NULL);
        if (i % 3 == 0)
            continue; /* left behind with two steps open */
        pthread_t thread;
        if (pthread_create(&thread, NULL, resume_elsewhere, fiber) != 0)
            return 2;
        pthread_join(thread, NULL);
        if (i % 3 == 1)
            continue; /* left behind by the other thread, one step open */
        while (!fiber->is_done)
            resume(fiber);
    }
    return step_end();
}
