/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/common/inherited.h"
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>

enum {
    ENOUGH_BYTES = 1 << 20
};

static bool was_ignored;

static void set_children(void (*handler)(int))
{
    const struct sigaction action = {.sa_handler = handler};
    sigaction(SIGCHLD, &action, NULL);
}

void inherited_take(void)
{
    struct sigaction old;
    was_ignored =
        sigaction(SIGCHLD, NULL, &old) == 0 && old.sa_handler == SIG_IGN;
    if (was_ignored)
        set_children(SIG_DFL);
}

void inherited_give_back(void)
{
    if (was_ignored)
        set_children(SIG_IGN);
}

static struct {
    int (*fn)(int argc, char **argv);
    int argc, status;
    char **argv;
    ucontext_t back, there;
} work;

static void do_work(void)
{
    work.status = work.fn(work.argc, work.argv);
}

int inherited_run(int (*fn)(int argc, char **argv), int argc, char **argv)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) < 0 || limit.rlim_cur >= ENOUGH_BYTES)
        return fn(argc, argv);
    void *stack = mmap(NULL, ENOUGH_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED || getcontext(&work.there) < 0)
        return fn(argc, argv);
    work.fn = fn;
    work.argc = argc;
    work.argv = argv;
    work.there.uc_stack.ss_sp = stack;
    work.there.uc_stack.ss_size = ENOUGH_BYTES;
    work.there.uc_link = &work.back;
    makecontext(&work.there, do_work, 0);
    if (swapcontext(&work.back, &work.there) < 0)
        return fn(argc, argv);
    return work.status;
}
