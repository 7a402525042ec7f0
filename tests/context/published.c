/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands still in known places for published.py to look at from outside: each
 * stop says in a line who it is and its traceparent, then waits for a byte.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "include/handspan.h"

void stop(const char *where);
int inner(const char *where);
int handler(int n);

__attribute__((noipa)) void stop(const char *where)
{
    char id[HANDSPAN_TRACEPARENT_BYTES], byte;
    handspan_traceparent(id);
    printf("%s %d %ld %s\n", where, getpid(), syscall(SYS_gettid), id);
    fflush(stdout);
    if (read(0, &byte, 1) != 1)
        _exit(1);
}

__attribute__((noipa)) int inner(const char *where)
{
    stop(where);
    return where[0];
}

__attribute__((noipa)) int handler(int n)
{
    inner("inner");
    stop("handler");
    if (fork() == 0) {
        inner("child");
        _exit(n);
    }
    wait(NULL);
    return n;
}

static void *thread(void *argument)
{
    inner("thread");
    return argument;
}

static ucontext_t here, there;

static void on_fiber(void)
{
    inner("fiber");
    swapcontext(&there, &here);
}

int main(void)
{
    static char stack[256 * 1024];
    pthread_t other;
    handler(1);
    stop("process");
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);
    getcontext(&there);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = sizeof stack;
    makecontext(&there, on_fiber, 0);
    swapcontext(&here, &there);
    return 0;
}
