/* A fork under an open handler, and handlers in the child. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANDLER __attribute__((noinline, noclone, visibility("default")))

HANDLER int step(int x)
{
    __asm__ volatile("");
    return x + 1;
}
HANDLER int forker(int x)
{
    pid_t child = fork();
    if (child == 0)
        _exit(step(x) + step(x) == 2 * (x + 1) ? 0 : 1);
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}
int main(void)
{
    int sum = 0;
    for (int i = 0; i < 3; i++)
        sum += forker(i);
    sum += step(1);
    printf("%d\n", sum);
    fflush(stdout);
    return 0;
}
