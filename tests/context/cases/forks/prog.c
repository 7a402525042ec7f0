/* Fork, again and again, while 50 threads carry, adopt and open spans. The
 * child goes on with items of its own, and with some that its parent carried
 * and adopts as well. */
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAIRS = 25, ITEMS = 40, FORKS = 12, KEPT = 4, CHILD = 1000000 };
struct item {
    long id;
};
static struct item items[PAIRS][ITEMS], kept[KEPT], own[KEPT];
static struct item *queue[PAIRS * ITEMS];
static int head, tail;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;

__attribute__((noipa)) void push(struct item *item)
{
    pthread_mutex_lock(&lock);
    queue[tail++] = item;
    pthread_cond_signal(&more);
    pthread_mutex_unlock(&lock);
}

__attribute__((noipa)) struct item *pop(void)
{
    pthread_mutex_lock(&lock);
    while (head == tail)
        pthread_cond_wait(&more, &lock);
    struct item *item = queue[head++];
    pthread_mutex_unlock(&lock);
    return item;
}

__attribute__((noipa)) long work(long id)
{
    return id;
}

__attribute__((noipa)) long take(struct item *item)
{
    return work(item->id);
}

/* In a child nobody else is there: no lock, no queue. */
__attribute__((noipa)) void hand(struct item *item)
{
    __asm__ volatile("" : : "r"(item) : "memory");
}

__attribute__((noipa)) void submit(struct item *item, long id)
{
    item->id = id;
    if (item >= items[0] && item < items[PAIRS])
        push(item);
    else
        hand(item);
}

__attribute__((noipa)) void child(long id)
{
    for (int i = 0; i < KEPT; i++)
        submit(&own[i], CHILD * (id + 1) + i);
    for (int i = 0; i < KEPT; i++)
        take(&own[i]);
    if (fork() == 0) {
        work(CHILD * (id + 1) + 100);
        _exit(0);
    }
    wait(NULL);
}

__attribute__((noipa)) void forking(long id)
{
    if (fork() == 0) {
        for (int i = 0; i < KEPT; i++)
            take(&kept[i]);
        child(id);
        _exit(0);
    }
}

static void *produce(void *mine)
{
    struct item *from = mine;
    for (int i = 0; i < ITEMS; i++)
        submit(&from[i], (from - items[0]) + i);
    return NULL;
}

static void *consume(void *unused)
{
    for (int i = 0; i < ITEMS; i++) {
        struct item *item = pop();
        work(item->id);
    }
    return unused;
}

int main(void)
{
    pthread_t thread[2 * PAIRS];
    for (int i = 0; i < KEPT; i++)
        submit(&kept[i], CHILD - 1 - i);
    for (int i = 0; i < PAIRS; i++) {
        pthread_create(&thread[2 * i], NULL, consume, NULL);
        pthread_create(&thread[2 * i + 1], NULL, produce, items[i]);
        if (i % 2)
            forking(i / 2);
    }
    for (int i = 0; i < 2 * PAIRS; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < KEPT; i++)
        take(&kept[i]);
    while (wait(NULL) > 0)
        ;
    puts("done");
    return 0;
}
