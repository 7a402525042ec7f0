/* SPDX-License-Identifier: Apache-2.0 */
/* A modest server: THREADS threads that are all there at once, CALLS calls each
 * with a text of 150 bytes. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static pthread_barrier_t barrier;
static int calls;

__attribute__((noinline, noclone)) long answer(const char *text)
{
    long length = (long)strlen(text);
    __asm__ volatile("" : "+r"(length));
    return length;
}

static void *serve(void *unused)
{
    char text[151];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (int i = 0; i < calls; i++)
        if (answer(text) != 150)
            exit(1);
    pthread_barrier_wait(&barrier);
    return unused;
}

int main(int argc, char **argv)
{
    int threads = argc > 2 ? atoi(argv[1]) : 0;
    pthread_t *thread = calloc((size_t)threads + 1, sizeof *thread);
    pthread_attr_t attr;
    calls = argc > 2 ? atoi(argv[2]) : 0;
    if (threads < 1 || !thread)
        return 2;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 256 << 10);
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    for (int i = 0; i < threads; i++)
        if (pthread_create(&thread[i], &attr, serve, NULL) != 0)
            return 3;
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    return 0;
}
