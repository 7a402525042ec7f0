// SPDX-License-Identifier: Apache-2.0
/*
 * Threads that live for one call, some of them make it in a signal handler.
 *
 * usage: first_calls THREADS
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    AT_ONCE = 16
};
static volatile long sink;
static _Thread_local long mine;
long first(long id, double half, const char *text, long a, long b, long c,
           long d, long e);

__attribute__((noinline)) long first(long id, double half, const char *text,
                                     long a, long b, long c, long d, long e)
{
    sink += id + text[0] + a + b + c + d + e + (long)half;
    return -id;
}

static void call(long id)
{
    char text[24];
    snprintf(text, sizeof text, "thread %ld", id);
    (void)first(id, (double)id / 2, text, 1, 2, 3, 4, id + 5);
}

static void handler(int number)
{
    (void)number;
    call(mine);
}

static void *run(void *number)
{
    mine = (long)(intptr_t)number;
    if (mine % 3 == 0)
        raise(SIGUSR1);
    else
        call(mine);
    return NULL;
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 100;
    pthread_t thread[AT_ONCE];
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    for (long id = 0; id < count;) {
        int n = 0;
        for (; n < AT_ONCE && id < count; n++, id++)
            if (pthread_create(&thread[n], NULL, run, (void *)(intptr_t)id))
                return 1;
        while (n > 0)
            pthread_join(thread[--n], NULL);
    }
    return 0;
}
