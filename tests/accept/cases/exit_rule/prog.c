/* Like grep: 1 says "nothing found", 2 is trouble. */
#include <stdlib.h>

__attribute__((noinline, noclone, visibility("default"))) int search(int found)
{
    __asm__ volatile("");
    return !found;
}
int main(int argc, char **argv)
{
    return argc > 1 ? atoi(argv[1]) : search(0);
}
