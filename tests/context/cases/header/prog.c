/* The program itself says what it hands over, by include/handspan.h. */
#include "include/handspan.h"

#include <stdio.h>
#include <string.h>

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

/* Its input: what the program was told. */
NOIPA void kept_count(long id)
{
    __asm__ volatile("" : : "r"(id) : "memory");
}

NOIPA void crowded(void)
{
    char key[16], value[600];
    int kept = 0;
    for (int i = 0; i < (int)sizeof value - 1; i++)
        value[i] = 'v';
    value[sizeof value - 1] = 0;
    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "k%d", i);
        kept += handspan_set_text(key, value);
    }
    /* what is smaller may still find room, until that is full */
    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "small%d", i);
        kept += handspan_set_integer(key, i);
    }
    kept_count(kept);
}

/* A handler within one that is full has room of its own, and the one around
 * none yet when it has ended. */
NOIPA void full_again(int depth)
{
    char value[501] = {0};
    int kept = 0;
    memset(value, 'w', sizeof value - 1);
    if (depth < 2) {
        for (int i = 0; i < 200; i++)
            kept += handspan_set_text("same", value);
        full_again(depth + 1);
        kept += handspan_set_text("later", value);
    }
    kept += handspan_set_text("mine", value);
    kept_count(kept);
}

NOIPA void adopts_what_ended(void)
{
    handspan_adopt(&items[0]);
    int kept = handspan_set_text("whose", "nobody's");
    handspan_adopt(NULL);
    kept_count(kept);
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
    full_again(0);
    submit(0);
    adopts_what_ended();
    printf("%ld\n", sum + cpp());
    return 0;
}
