/* SPDX-License-Identifier: Apache-2.0 */
/* Dies of a fault below two handlers, with no disposition of its own. */
#include <sys/resource.h>

static int *volatile nowhere = (int *)0x1000;

__attribute__((noipa)) int deep(int n)
{
    if (n == 0)
        *nowhere = 1;
    int below = deep(n - 1);
    __asm__ volatile("" : "+r"(below)); /* no loop instead */
    return below + 1;
}
int main(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    return deep(1);
}
