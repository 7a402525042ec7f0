/* SPDX-License-Identifier: Apache-2.0 */
/* Threads with every signal blocked; one ends by pthread_exit in a handler. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

__attribute__((noipa)) long work(long n)
{
    if (n == 100)
        pthread_exit((void *)7L);
    return n + 1;
}
static void *thread(void *arg)
{
    for (long i = 0;; i = work(i))
        ;
    return arg;
}
int main(void)
{
    sigset_t all;
    long sum = 0;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (int i = 0; i < 8; i++) {
        pthread_t id;
        void *result = NULL;
        pthread_create(&id, NULL, thread, NULL);
        pthread_join(id, &result);
        sum += (long)result;
    }
    printf("%ld\n", sum);
    return 0;
}
