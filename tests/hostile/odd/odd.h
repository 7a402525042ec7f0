// SPDX-License-Identifier: Apache-2.0
/*
 * Odd things that programs do, one function each. Each says what it saw; its
 * words, its status and what it leaves are the same traced and untraced.
 * Status 77: not possible here.
 */
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum {
    CANNOT = 77,
    PAGE = 4096
};

/* The handlers. */
int work(int n);                 /* n + 1 */
int look(const char *text);      /* is it one? `text` is captured */
double mean(double x);           /* x / 2 */
int deep(int n);                 /* n calls of itself, 200 bytes each */
int wide(int n, int (*fn)(int)); /* fn below n open calls */

struct way {
    const char *name;
    int (*run)(char **argv);
};
extern const struct way memory_ways[], signal_ways[], thread_ways[],
    process_ways[], exec_ways[], filter_ways[], machine_ways[], stack_ways[],
    place_ways[];

/* work() `count` times, summed. */
int works(int count);
/* waitpid()'s status of a child. */
int status_of(pid_t pid);
/* Runs fn on a stack of its own. */
int on_stack(void *low, size_t bytes, void (*fn)(void));
void handle(int number, void (*fn)(int), int flags);
