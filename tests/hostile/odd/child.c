// SPDX-License-Identifier: Apache-2.0
/* A program that others execute: linked statically, or with another libc. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    int fds = 0, by_default = 0;
    struct sigaction action;
    for (int i = 0; i < 100; i++)
        fds += fcntl(i, F_GETFD) >= 0;
    for (int i = 1; i < 32; i++)
        by_default +=
            sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
    printf("%d %s %d %d\n", argc, strrchr(argv[0], '/'), fds, by_default);
    return 5;
}
