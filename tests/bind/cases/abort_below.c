/* SPDX-License-Identifier: Apache-2.0 */
/* abort() below a handler: dies of SIGABRT as it would untraced, the span
 * stays open for the reader to find. */
#include <stdlib.h>
#include <sys/resource.h>

__attribute__((noipa)) int deep(int n)
{
    if (n == 0)
        abort();
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
