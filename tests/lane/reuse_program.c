/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server by what becomes of its threads and children.
 *
 * usage: reuse_program threads AT_ONCE COUNT   threads that come and go
 *        reuse_program children AT_ONCE COUNT  forked children likewise
 * Each calls task() three times, nested: task(2) calls task(1), it task(0).
 * Every seventh child dies of SIGKILL in the last one; prints how many did.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static _Thread_local int dies;

__attribute__((noinline)) int task(int depth);
static int (*volatile next)(int) = task; /* no loop is made of it */

int task(int depth)
{
    if (depth > 0)
        return next(depth - 1) + 1;
    if (dies)
        raise(SIGKILL);
    __asm__ volatile("" ::: "memory");
    return 0;
}

static void *one_thread(void *unused)
{
    (void)unused;
    return (void *)(long)(task(2) != 2);
}

static int run_threads(int at_once, int count)
{
    pthread_t *thread = calloc((size_t)at_once, sizeof *thread);
    for (int done = 0; done < count; done += at_once) {
        void *bad = NULL;
        for (int i = 0; i < at_once; i++)
            if (pthread_create(&thread[i], NULL, one_thread, NULL) != 0)
                return 1;
        for (int i = 0; i < at_once; i++)
            if (pthread_join(thread[i], &bad) != 0 || bad)
                return 1;
    }
    free(thread);
    return 0;
}

static int run_children(int at_once, int count)
{
    int running = 0, killed = 0;
    for (int i = 0; i < count || running > 0;) {
        if (i < count && running < at_once) {
            pid_t child = fork();
            if (child == 0) {
                dies = i % 7 == 6;
                _exit(task(2) != 2);
            }
            if (child < 0)
                return 1;
            i++;
            running++;
            continue;
        }
        int status;
        if (wait(&status) < 0)
            return 1;
        running--;
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
            killed++;
        else if (status != 0)
            return 1;
    }
    printf("killed %d\n", killed);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    int at_once = atoi(argv[2]), count = atoi(argv[3]);
    if (strcmp(argv[1], "threads") == 0)
        return run_threads(at_once, count);
    return run_children(at_once, count);
}
