/* SPDX-License-Identifier: Apache-2.0 */
/* usage: rivals_program CALLS: a tenth of them for each byte that it reads. */
#include <stdlib.h>
#include <unistd.h>

int task(int depth);
static int (*volatile call)(int) = task;

static volatile int sum;

int task(int depth)
{
    sum = sum + depth; /* longer than a jump */
    return sum ^ depth;
}

int main(int argc, char **argv)
{
    int calls = argc > 1 ? atoi(argv[1]) / 10 : 0;
    char go;
    while (read(0, &go, 1) == 1) {
        for (int i = 0; i < calls; i++)
            (void)call(i);
        if (write(1, &go, 1) != 1)
            return 1;
    }
    return 0;
}
