/* More spans than any lane holds: details may be dropped, calls may not. */
#include <stdio.h>

#define HANDLER __attribute__((noinline, noclone, visibility("default")))

HANDLER long tick(long x)
{
    __asm__ volatile("");
    return x + 1;
}
int main(void)
{
    long x = 0;
    while (x < 800000)
        x = tick(x);
    printf("%ld\n", x);
    return 0;
}
