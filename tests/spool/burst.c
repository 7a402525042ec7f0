/* SPDX-License-Identifier: Apache-2.0 */
/* Calls without a pause: COUNT of a handler whose argument and text are
 * captured, over THREADS. Then, with a third argument, it lives until its input
 * ends; if that is "ask", it calls nothing before there is some. Prints how
 * many were made and the nanoseconds of each. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

__attribute__((noinline)) long step(long number, const char *text)
{
    __asm__ volatile("" : "+r"(number) : "r"(text) : "memory");
    return number;
}

struct part {
    pthread_t thread;
    long from, to;
};

__attribute__((noinline)) void *work(void *argument)
{
    const struct part *p = argument;
    for (long i = p->from; i < p->to; i++)
        step(i, "a text of some thirty characters");
    return NULL;
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? atol(argv[1]) : 1000;
    long threads = argc > 2 ? atol(argv[2]) : 1;
    static struct part part[256];
    struct timespec a, b;
    if (argc > 3 && strcmp(argv[3], "ask") == 0 && getchar() == EOF)
        return 1;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (long i = 0; i < threads && i < 256; i++) {
        part[i].from = count * i / threads;
        part[i].to = count * (i + 1) / threads;
        if (i && pthread_create(&part[i].thread, NULL, work, &part[i]) != 0)
            return 1;
    }
    work(&part[0]);
    for (long i = 1; i < threads && i < 256; i++)
        pthread_join(part[i].thread, NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    int64_t ns = (b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec;
    printf("%ld calls, %.1f ns each\n", count, (double)ns / (double)count);
    fflush(stdout);
    while (argc > 3 && getchar() != EOF)
        ;
    return 0;
}
