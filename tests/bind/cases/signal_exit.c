/* SPDX-License-Identifier: Apache-2.0 */
/* exit() from a signal handler that interrupted a handler, while another
 * thread is inside one. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int ready[2];

__attribute__((noipa)) void forever(void)
{
    char byte = 1;
    if (write(ready[1], &byte, 1) == 1)
        for (;;)
            pause();
}
static void *thread(void *arg)
{
    forever();
    return arg;
}
__attribute__((noipa)) void last_words(void)
{
    printf("bye\n");
}
static void on_signal(int number)
{
    (void)number;
    exit(7);
}
__attribute__((noipa)) int work(int n)
{
    if (n == 3)
        raise(SIGUSR1);
    return n + 1;
}
int main(void)
{
    pthread_t id;
    char byte = 0;
    atexit(last_words);
    signal(SIGUSR1, on_signal);
    if (pipe(ready) != 0 || pthread_create(&id, NULL, thread, NULL) != 0)
        return 1;
    if (read(ready[0], &byte, 1) != 1)
        return 2;
    for (int i = 0;; i = work(i))
        ;
}
