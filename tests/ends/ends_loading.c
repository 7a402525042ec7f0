/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that the loader needs 50 ms of CPU time for: a resolver that it
 * calls while it relocates. "again": it execs itself out of a handler.
 *
 * usage: ends_loading [again]
 */
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    LOADING_NS = 50000000
};

int work(int how);
int resolved(int how);

static int as_it_is(int how)
{
    return how;
}

/* Nothing of libc: it is not there yet. */
static int64_t cpu_ns(void)
{
    struct timespec t;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_clock_gettime), "D"(CLOCK_PROCESS_CPUTIME_ID),
                       "S"(&t)
                     : "rcx", "r11", "memory");
    return result == 0 ? t.tv_sec * INT64_C(1000000000) + t.tv_nsec
                       : LOADING_NS;
}

static int (*resolve(void))(int)
{
    int64_t end = cpu_ns() + LOADING_NS;
    while (cpu_ns() < end)
        ;
    return as_it_is;
}
int resolved(int how) __attribute__((ifunc("resolve")));

__attribute__((noinline)) int work(int how)
{
    if (how == 2)
        execl("/proc/self/exe", "again", NULL);
    return resolved(how);
}

int main(int argc, char **argv)
{
    (void)argv;
    return work(argc) == 1 ? 0 : 1;
}
