/*
 * Producers hand items to consumers through a queue, items are freed and
 * their memory is used again at once. Work is done by the function that
 * popped, by one far below it, and by one that adopts its argument itself.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDLER __attribute__((noinline, noclone, visibility("default")))
#define INNER   __attribute__((noinline, noclone))
enum {
    PRODUCERS = 3,
    CONSUMERS = 3,
    ITEMS = 300
};

struct item {
    struct item *next;
    long id;
};
static struct item *head;
static int left = PRODUCERS;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;

HANDLER void push(struct item *item)
{
    pthread_mutex_lock(&mutex);
    item->next = head;
    head = item;
    pthread_cond_signal(&ready);
    pthread_mutex_unlock(&mutex);
}

HANDLER struct item *pop(void)
{
    pthread_mutex_lock(&mutex);
    while (!head && left > 0)
        pthread_cond_wait(&ready, &mutex);
    struct item *item = head;
    if (item)
        head = item->next;
    pthread_mutex_unlock(&mutex);
    return item;
}

HANDLER long step(long id)
{
    __asm__ volatile("");
    return id + 1;
}
HANDLER long work(long id)
{
    return step(id) + step(id);
}
HANDLER long take(struct item *item)
{
    return step(item->id) * 2;
}
HANDLER void drop(struct item *item)
{
    free(item);
}
HANDLER long idle(long n)
{
    __asm__ volatile("");
    return n;
}

/* Not traced: the work stands two frames below the function that popped. */
INNER static long below(long id)
{
    char room[200];
    memset(room, (int)id, sizeof room);
    __asm__ volatile("" : : "r"(room) : "memory");
    long result = work(id) + room[0];
    __asm__ volatile("");
    return result;
}
INNER static long far_below(long id)
{
    long result = below(id);
    __asm__ volatile("");
    return result;
}
INNER static long idle_below(long n)
{
    char room[500];
    memset(room, (int)n, sizeof room);
    __asm__ volatile("" : : "r"(room) : "memory");
    long result = idle(n);
    __asm__ volatile("");
    return result + room[0];
}

/* Pops and works in a frame of its own; false: there is no more. */
INNER static int one(long *sum)
{
    struct item *item = pop();
    if (!item)
        return 0;
    long id = item->id;
    switch (id % 3) {
    case 0:
        *sum += work(id);
        break;
    case 1:
        *sum += far_below(id);
        break;
    default:
        push(item);
        item = pop();
        if (!item)
            return 1;
        *sum += take(item);
    }
    drop(item);
    return 1;
}

static void *consume(void *unused)
{
    long sum = 0, n = 0;
    (void)unused;
    while (one(&sum))
        idle_below(n++); /* nobody's work: the frame that popped is gone */
    return (void *)sum;
}

HANDLER void submit(long id)
{
    struct item *item = malloc(sizeof *item);
    item->id = id;
    push(item);
}

static void *produce(void *arg)
{
    for (long i = 0; i < ITEMS; i++)
        submit((long)arg * ITEMS + i);
    pthread_mutex_lock(&mutex);
    left--;
    pthread_cond_broadcast(&ready);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

int main(void)
{
    pthread_t thread[PRODUCERS + CONSUMERS];
    for (long i = 0; i < PRODUCERS + CONSUMERS; i++)
        pthread_create(&thread[i], NULL, i < PRODUCERS ? produce : consume,
                       (void *)i);
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++)
        pthread_join(thread[i], NULL);
    puts("done");
    return 0;
}
