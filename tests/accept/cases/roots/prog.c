/* A message handler: each message is a trace of its own. */
#include <stdio.h>

#define HANDLER __attribute__((noinline, noclone, visibility("default")))

HANDLER int parse(const char *text)
{
    __asm__ volatile("");
    return text[0];
}
HANDLER int message(const char *text)
{
    return parse(text) + parse(text + 1);
}
int main(void)
{
    int sum = parse("before any message");
    sum += message("one");
    sum += message("two");
    sum += message("three");
    printf("%d\n", sum);
    return 3;
}
