// SPDX-License-Identifier: Apache-2.0
/*
 * A handler that calls itself until PERCENT of a stack of BYTES are used.
 *
 *   recursion main|thread|own|fiber|signal BYTES PERCENT
 *
 * main: the program's own (BYTES of `ulimit -s`), thread: one of libc's making,
 * own: one of many in an array, fiber: makecontext(), signal: an alternate
 * signal stack. Prints how deep it came; 0 if it came back wrong.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum {
    STACKS = 3,
    PAGE = 4096
};
static uintptr_t floor_at;
static long depth;
static ucontext_t back, fiber;

int down(int n);
__attribute__((noinline)) int down(int n)
{
    volatile int here = n;
    if ((uintptr_t)__builtin_frame_address(0) < floor_at)
        return 1;
    depth = n;
    int result = down(n + 1);
    return here == n ? result + 1 : -100000000;
}

static void measure(size_t bytes, int percent)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    floor_at = here - bytes / 100 * (size_t)percent;
    depth = 0;
    /* how far untraced code comes: what is between two levels of it */
    int levels = down(0);
    printf("%s\n", levels > 0 && levels == depth + 2 ? "ok" : "wrong");
}

static size_t bytes;
static int percent;

static void *run(void *argument)
{
    measure(bytes, percent);
    return argument;
}

static void run_fiber(void)
{
    measure(bytes, percent);
}

static void on_signal(int number)
{
    (void)number;
    measure(bytes, percent);
}

static uint8_t *guarded(void)
{
    uint8_t *at = mmap(NULL, bytes + PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || mprotect(at, PAGE, PROT_NONE) != 0)
        exit(2);
    return at + PAGE;
}

static void in_thread(int is_own)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    uint8_t *stacks = mmap(NULL, bytes * STACKS, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stacks == MAP_FAILED)
        exit(2);
    memset(stacks, 0x5a, bytes);
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        if (is_own ? pthread_attr_setstack(
                         &attributes, stacks + bytes * (size_t)(i + 1), bytes)
                   : pthread_attr_setstacksize(&attributes, bytes))
            exit(2);
        if (pthread_create(&thread, &attributes, run, NULL))
            exit(2);
        pthread_join(thread, NULL);
    }
    for (size_t i = 0; i < bytes; i++) /* the one below is somebody else's */
        if (stacks[i] != 0x5a) {
            puts("wrote below the stack");
            break;
        }
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    bytes = (size_t)atol(argv[2]);
    percent = atoi(argv[3]);
    floor_at = UINTPTR_MAX;
    down(0); /* what is done once in a process */
    switch (argv[1][0]) {
    case 'm':
        run(NULL);
        break;
    case 't':
        in_thread(0);
        break;
    case 'o':
        in_thread(1);
        break;
    case 'f':
        getcontext(&fiber);
        fiber.uc_stack.ss_sp = guarded();
        fiber.uc_stack.ss_size = bytes;
        fiber.uc_link = &back;
        makecontext(&fiber, run_fiber, 0);
        swapcontext(&back, &fiber);
        break;
    default: {
        stack_t stack = {.ss_sp = guarded(), .ss_size = bytes};
        struct sigaction action = {.sa_handler = on_signal,
                                   .sa_flags = SA_ONSTACK};
        if (sigaltstack(&stack, NULL) || sigaction(SIGUSR1, &action, NULL))
            return 2;
        raise(SIGUSR1);
        break;
    }
    }
    return 0;
}
