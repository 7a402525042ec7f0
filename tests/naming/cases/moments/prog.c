/* SPDX-License-Identifier: Apache-2.0 */
/* Functions are registered while another thread blocks all signals: as libc does
 * for a moment, its own two among them, and then as a program does for good. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HANDLER __attribute__((noipa))
enum {
    KERNEL_MASK_BYTES = 8,
    MOMENT_NS = 80000000, /* as on a machine with much to do */
};
typedef int chain_fn(int n);

static chain_fn *volatile chain;
static atomic_int is_blocked, is_over;

HANDLER void set_chain(chain_fn *fn)
{
    chain = fn;
}
HANDLER int in_a_moment(int n)
{
    return n + 1;
}
HANDLER int for_good(int n)
{
    return n + 2;
}

static void wait_for(atomic_int *word)
{
    while (!atomic_load(word))
        usleep(100);
}

static void *block_as_libc(void *unused)
{
    uint64_t all = UINT64_MAX, before;
    struct timespec moment = {0, MOMENT_NS};
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, KERNEL_MASK_BYTES);
    atomic_store(&is_blocked, 1);
    nanosleep(&moment, NULL);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, KERNEL_MASK_BYTES);
    wait_for(&is_over);
    return unused;
}

static void *block_for_good(void *unused)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    atomic_store(&is_blocked, 1);
    wait_for(&is_over);
    return unused;
}

static int meanwhile(void *(*block)(void *), chain_fn *fn)
{
    pthread_t thread;
    atomic_store(&is_blocked, 0);
    atomic_store(&is_over, 0);
    pthread_create(&thread, NULL, block, NULL);
    wait_for(&is_blocked);
    set_chain(fn);
    int result = chain(1);
    atomic_store(&is_over, 1);
    pthread_join(thread, NULL);
    return result;
}

int main(void)
{
    int first = meanwhile(block_as_libc, in_a_moment);
    printf("%d %d\n", first, meanwhile(block_for_good, for_good));
    return 0;
}
