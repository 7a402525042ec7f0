/* SPDX-License-Identifier: Apache-2.0 */
/* Killed while something that was begun is not ended; and a forked child that
 * tries to end what its parent began. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANDLER __attribute__((noipa))

HANDLER void start(long key)
{
    printf("start %ld\n", key);
}
HANDLER void done(long key)
{
    printf("done %ld\n", key);
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    start(1);
    start(2);
    if (fork() == 0) {
        done(1); /* not its own */
        start(3);
        done(3);
        _exit(0);
    }
    wait(NULL);
    done(2);
    raise(SIGKILL);
}
