// SPDX-License-Identifier: Apache-2.0
/*
 * Threads that allocate and call a handler: what sanitizers, allocators and
 * others that stand between a program and libc have to do with.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    THREADS = 4,
    CALLS = 500
};

int work(int n);
__attribute__((noinline)) int work(int n)
{
    char *at = malloc(100);
    if (!at)
        return -1;
    memset(at, n, 100);
    int result = at[5];
    free(at);
    return result;
}

static void *run(void *argument)
{
    for (int i = 0; i < CALLS; i++)
        work(i % 100);
    return argument;
}

int main(void)
{
    pthread_t threads[THREADS];
    char day[16];
    time_t now = time(NULL);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, run, NULL) != 0)
            return 2;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    strftime(day, sizeof(day), "%Y-%m-%d", localtime(&now));
    printf("%d %s\n", work(7), day);
    fprintf(stderr, "to stderr\n");
    return 3;
}
