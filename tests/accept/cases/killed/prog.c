/* Killed in the middle: what was finished is kept, what was open is said. */
#include <signal.h>
#include <stdio.h>

#define HANDLER __attribute__((noinline, noclone, visibility("default")))

HANDLER int load(int x)
{
    __asm__ volatile("");
    return x;
}
HANDLER int transform(int x)
{
    if (x == 7)
        raise(SIGKILL);
    return x;
}
HANDLER int pipeline(const char *name)
{
    int sum = name[0];
    for (int i = 0; i < 10; i++)
        sum += transform(load(i));
    return sum;
}
int main(void)
{
    return pipeline("nightly");
}
