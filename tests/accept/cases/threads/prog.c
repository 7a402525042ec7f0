/* Eight threads, nested handlers: every call counts, parents are right. */
#include <pthread.h>
#include <stdio.h>

#define HANDLER __attribute__((noinline, noclone, visibility("default")))
enum { THREADS = 8, OUTER = 500, INNER = 4 };

HANDLER long inner(long x)
{
    __asm__ volatile("");
    return x + 1;
}
HANDLER long outer(long x)
{
    for (int i = 0; i < INNER; i++)
        x = inner(x);
    return x;
}
static void *work(void *arg)
{
    long x = (long)arg;
    for (int i = 0; i < OUTER; i++)
        x = outer(x);
    return (void *)x;
}
int main(void)
{
    pthread_t t[THREADS];
    long sum = 0;
    for (long i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, work, (void *)i);
    for (int i = 0; i < THREADS; i++) {
        void *r;
        pthread_join(t[i], &r);
        sum += (long)r;
    }
    printf("%ld\n", sum);
    return 0;
}
