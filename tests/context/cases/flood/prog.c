/* Keys that nobody adopts, ten million of them; keys that are adopted twice;
 * an address that is another item at once. */
#include <stdio.h>

enum { KEYS = 10000000 };
struct item {
    long id;
};
static struct item a, b;

__attribute__((noipa)) void push(void *key)
{
    __asm__ volatile("" : : "r"(key) : "memory");
}

__attribute__((noipa)) struct item *pop(struct item *item)
{
    return item;
}

__attribute__((noipa)) long work(long id)
{
    return id;
}

__attribute__((noipa)) long take(struct item *item)
{
    return item->id;
}

__attribute__((noipa)) void submit(struct item *item, long id)
{
    item->id = id;
    push(item);
}

__attribute__((noipa)) void flood(void)
{
    for (long i = 1; i <= KEYS; i++)
        push((void *)(i << 4));
}

__attribute__((noipa)) long consume(struct item *item)
{
    struct item *got = pop(item);
    return work(got->id) + 1;
}

int main(void)
{
    long sum = 0;
    submit(&a, 1);
    sum += consume(&a); /* 1 */
    sum += consume(&a); /* again: nobody's */
    submit(&a, 2);
    submit(&a, 3); /* 2 was lost, its address is another item's */
    sum += take(&a);
    sum += take(&a); /* again */
    submit(&b, 4);
    flood();
    submit(&a, 5); /* the table is full of the others */
    sum += take(&a);
    b.id = 6;
    sum += take(&b); /* 4 gave way, or not: never another's work */
    printf("%ld\n", sum);
    return 0;
}
