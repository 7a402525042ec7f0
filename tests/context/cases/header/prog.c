/* The program itself says what it hands over, by include/handspan.h. */
#include "include/handspan.h"

#include <stdio.h>

#ifdef __clang__
#define NOIPA __attribute__((noinline, optnone))
#else
#define NOIPA __attribute__((noipa))
#endif
enum {
    ITEMS = 8,
    FORGOTTEN = 3
};
static char items[ITEMS];

NOIPA long work(long id)
{
    handspan_set_integer("work.id", id);
    return id;
}

NOIPA long idle(long id)
{
    return id + 1;
}

NOIPA void submit(long id)
{
    handspan_set_text("who", "nobody");
    handspan_set_text("who", "submit \xc3\xa4 \xff");
    handspan_set_double("ratio", 0.5);
    handspan_set_integer("big", -9223372036854775807LL - 1);
    handspan_set_text("unreadable", (const char *)8);
    handspan_set_text(NULL, "x");
    handspan_carry(&items[id]);
}

NOIPA void crowded(void)
{
    char key[16], value[600];
    for (int i = 0; i < (int)sizeof value - 1; i++)
        value[i] = 'v';
    value[sizeof value - 1] = 0;
    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "k%d", i);
        handspan_set_text(key, value);
    }
}

/* One frame: what it pops is its own until it returns. */
NOIPA long drain(void)
{
    long sum = 0;
    for (long i = 0; i < ITEMS; i++) {
        handspan_adopt(&items[i]);
        sum += work(i);
    }
    handspan_adopt(NULL);
    return sum + idle(100);
}

NOIPA long pop_last(void)
{
    handspan_adopt(&items[0]);
    return work(50) + 1; /* not a jump: that would end this function */
}

/* The manifest and the header share their keys. */
NOIPA void push(char *item)
{
    __asm__ volatile("" : : "r"(item) : "memory");
}

/* Deeper than pop_last() was, after it: not its item's work. */
NOIPA long deeper(volatile char *stack)
{
    volatile char more[4096];
    more[0] = stack[0];
    push(&items[1]);
    return more[0] + idle(101);
}

long cpp(void);

int main(void)
{
    char stack[1] = {0};
    handspan_set_text("no", "handler is open");
    for (long i = 0; i < ITEMS; i++)
        submit(i);
    handspan_forget(&items[FORGOTTEN]);
    long sum = drain();
    submit(0);
    sum += pop_last();
    sum += deeper(stack);
    handspan_adopt(&items[1]);
    sum += work(51);
    handspan_adopt(NULL);
    crowded();
    printf("%ld\n", sum + cpp());
    return 0;
}
