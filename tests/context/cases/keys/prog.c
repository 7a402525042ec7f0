/*
 * Keys that are not as they should be: a million that nobody adopts, one that
 * is adopted twice, one that is carried again for another item, one that died
 * meanwhile, one that may be adopted more than once, a call with its data
 * later; a batch; and items that wait for a known time.
 */
#include <stdio.h>
#include <time.h>

#define HANDLER __attribute__((noinline, noclone, visibility("default")))
enum {
    MANY = 1000000,
    DELAYS = 60,
    BATCH = 5
};

struct item {
    long id;
};
struct batch {
    long n;
    struct item *items[BATCH];
};

HANDLER void push(long key)
{
    __asm__ volatile("" : : "r"(key) : "memory");
}
HANDLER long pop(long key)
{
    __asm__ volatile("" : "+r"(key));
    return key;
}
HANDLER void push_many(long key)
{
    __asm__ volatile("" : : "r"(key) : "memory");
}
HANDLER void drop(long key)
{
    __asm__ volatile("" : : "r"(key) : "memory");
}
HANDLER void later(void *fn, void *data)
{
    __asm__ volatile("" : : "r"(fn), "r"(data) : "memory");
}
HANDLER long work(long id, long least_ns, long most_ns)
{
    __asm__ volatile("");
    return id + least_ns + most_ns;
}
HANDLER long called(long unused, struct item *item)
{
    __asm__ volatile("");
    return item->id + unused;
}
HANDLER void put(struct item *item)
{
    __asm__ volatile("" : : "r"(item) : "memory");
}
HANDLER long flush(struct batch *batch)
{
    __asm__ volatile("");
    return batch->n;
}
HANDLER void submit(long id, long key)
{
    push(key);
    __asm__ volatile("" : : "r"(id));
}
HANDLER void submit_many(long id, long key)
{
    push_many(key);
    __asm__ volatile("" : : "r"(id));
}
HANDLER void submit_item(long id, struct item *item)
{
    put(item);
    __asm__ volatile("" : : "r"(id));
}
HANDLER void submit_call(long id, struct item *item)
{
    later((void *)called, item);
    __asm__ volatile("" : : "r"(id));
}

static long now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}
/* A frame of its own: what it popped is done when it returns. */
__attribute__((noinline)) static void take(long key, long id)
{
    pop(key);
    work(id, 0, 0);
    __asm__ volatile("");
}

/* Its frame is gone when it calls work(): a jump at -O2. */
__attribute__((noipa)) static long take_tail(long key, long id)
{
    pop(key);
    return work(id, 0, 0);
}
static long (*volatile any_function)(long key, long id) = take_tail;

int main(void)
{
    struct item item[BATCH];
    struct batch batch = {BATCH, {0}};
    for (long i = 0; i < MANY; i++)
        push(1000 + i);
    submit(1, 7);
    take(7, 1);
    take(7, 2); /* adopted twice: an orphan */
    submit(3, 8);
    submit(4, 8); /* the address is another item's now */
    take(8, 4);
    submit(5, 9);
    drop(9);
    take(9, 5); /* it died: an orphan */
    submit_many(6, 10);
    take(10, 6);
    take(10, 6);
    submit(7, 11);
    long sum = take_tail(11, 7); /* nobody else is called from here */
    submit(8, 12);
    sum += any_function(12, 8); /* here another one may be, later */
    __asm__ volatile("" : : "r"(sum));
    for (long i = 0; i < BATCH; i++) {
        item[i].id = 100 + i;
        batch.items[i] = &item[i];
        submit_item(100 + i, &item[i]);
    }
    flush(&batch);
    submit_call(200, &item[0]);
    called(0, &item[0]);
    for (long i = 0; i < DELAYS; i++) {
        struct timespec delay = {0, 1000000 + i * 50000};
        long before = now_ns();
        push(20 + i);
        long least = now_ns();
        nanosleep(&delay, NULL);
        least = now_ns() - least; /* it waited at least as long */
        pop(20 + i);
        work(1000 + i, least, now_ns() - before);
    }
    puts("done");
    return 0;
}
