/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A handler of SIGURG that forks once: in the middle of what the thread did
 * just then, with which parent and child both go on. Who sends the signal is
 * the test. Then both make the same calls.
 *
 * usage: forked_program CALLS BEFORE   (calls before the handler may fork)
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) long step(long number);

static atomic_int may_fork;
static atomic_int child = -1; /* of the one fork; 0: this is it */
static long calls, before;
static volatile long number_now;
static long number_then; /* at the fork */

long step(long number)
{
    __asm__ volatile("" ::: "memory");
    return number * 3;
}

static void on_signal(int number)
{
    (void)number;
    if (!atomic_exchange(&may_fork, 0))
        return;
    number_then = number_now;
    child = fork();
}

static void *thread(void *unused)
{
    long sum = 0;
    (void)unused;
    for (long i = 0; i < calls; i++) {
        if (i == before)
            may_fork = 1;
        number_now = i;
        sum += step(i);
    }
    return sum == 3 * (calls - 1) * calls / 2 ? NULL : &calls;
}

int main(int argc, char **argv)
{
    pthread_t other;
    int status = 1;
    if (argc != 3)
        return 2;
    calls = atol(argv[1]);
    before = atol(argv[2]);
    signal(SIGURG, on_signal);
    /* the thread: the child has no other, and its end is the child's */
    if (pthread_create(&other, NULL, thread, NULL) != 0)
        return 2;
    pthread_join(other, NULL);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 3;
    printf("forked in %ld, status %d\n", number_then, status);
    return 0;
}
