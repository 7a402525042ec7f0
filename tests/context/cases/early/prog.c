/*
 * Items that are adopted before they are carried: make() gives an item to the
 * other thread and returns, and with that carries it, only when that one has
 * worked on it. All items have one address, as an allocator would have it.
 *
 *   id 1   adopted while the call that carries it runs: nobody's
 *   id 2   carried by a call that begins after that, then adopted
 *   id 3   as 1, and
 *   id 4   adopted without being carried: 3 must not be its parent
 *   id 5   adopted first, by nobody carried; 6 carried later, then adopted
 */
#include <pthread.h>
#include <stdio.h>

#define HANDLER __attribute__((noinline, noclone, visibility("default")))

struct item {
    long id;
};
static struct item item;
static int turn; /* 1: the worker's */
static int is_over;

static void wait_for(int who)
{
    while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != who)
        __builtin_ia32_pause();
}

static void give(int who)
{
    __atomic_store_n(&turn, who, __ATOMIC_RELEASE);
}

HANDLER struct item *make(long id, int is_early)
{
    item.id = id;
    if (is_early) {
        give(1);
        wait_for(0);
    }
    return &item;
}
HANDLER long submit(long id, int is_early)
{
    struct item *made = make(id, is_early);
    if (!is_early) {
        give(1);
        wait_for(0);
    }
    return made->id;
}
HANDLER struct item *take(void)
{
    struct item *taken = &item;
    __asm__ volatile("" : "+r"(taken));
    return taken;
}
HANDLER long work(long id)
{
    __asm__ volatile("" : "+r"(id));
    return id;
}

static void *worker(void *arg)
{
    for (;;) {
        wait_for(1);
        if (is_over)
            return arg;
        work(take()->id);
        give(0);
    }
}

static void without(long id)
{
    item.id = id;
    give(1);
    wait_for(0);
}

int main(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, worker, NULL) != 0)
        return 1;
    submit(1, 1);
    submit(2, 0);
    submit(3, 1);
    without(4);
    without(5);
    submit(6, 0);
    is_over = 1;
    give(1);
    pthread_join(thread, NULL);
    puts("done");
    return 0;
}
