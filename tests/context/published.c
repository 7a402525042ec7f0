/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands still in known places for published.py to look at from outside: each
 * stop says in a line who it is, waits for a byte, and says its traceparent
 * (after that: asking is a call that publishes, as are read and write, which
 * handspan watches for errors).
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdarg.h>
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

static void say(const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (syscall(SYS_write, 1, text, (size_t)len) != len)
        _exit(1);
}

__attribute__((noipa)) void stop(const char *where)
{
    char id[HANDSPAN_TRACEPARENT_BYTES], byte;
    say("%s %d %ld\n", where, getpid(), syscall(SYS_gettid));
    if (syscall(SYS_read, 0, &byte, 1) != 1)
        _exit(1);
    handspan_traceparent(id);
    say("%s\n", id);
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
