/* SPDX-License-Identifier: Apache-2.0 */
/* exit() below a handler, with an exit handler that is traced too. */
#include <stdio.h>
#include <stdlib.h>

__attribute__((noipa)) void last_words(void)
{
    printf("bye\n");
}
__attribute__((noipa)) int deep(int n)
{
    if (n == 0)
        exit(3);
    int below = deep(n - 1);
    __asm__ volatile("" : "+r"(below)); /* no loop instead */
    return below + 1;
}
int main(void)
{
    atexit(last_words);
    return deep(2);
}
