/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What bench/errors.py runs untraced and traced: handlers that fail, that
 * throw and catch, and library calls that do not fail. Prints ns a call, the
 * least of some rounds.
 */
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <stdexcept>
#include <unistd.h>

enum {
    ROUNDS = 15,
    CALLS = 2000,
    DEPTH = 16 * 1024,
    WINDOWS = 4, /* of the limit on copies: about a second each */
    COPIES = 24  /* in one; more than 32 of a handler are left out */
};

#define APART extern "C" __attribute__((noinline, used))

static double now()
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

APART int fine(int n)
{
    __asm__ volatile("");
    return n;
}

APART int fails(int n)
{
    __asm__ volatile("");
    return -n;
}

APART int copied(int n)
{
    __asm__ volatile("");
    return -n;
}

APART int throws(int n)
{
    try {
        if (n >= 0)
            throw std::runtime_error("caught below");
    } catch (const std::exception &) {
    }
    return n;
}

APART int passes(int n)
{
    if (n >= 0)
        throw std::runtime_error("passes");
    return n;
}

static int caught(int n)
{
    try {
        return passes(n);
    } catch (const std::exception &) {
        return 0;
    }
}

/* One span around many calls that succeed. */
APART int reads(int n)
{
    char byte;
    int fd = open("/dev/zero", O_RDONLY);
    for (int i = 0; i < n; i++)
        if (read(fd, &byte, 1) != 1)
            return -1;
    return close(fd);
}

static void measure(const char *what, int (*call)(int), int calls, int argument)
{
    double least = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now();
        for (int i = 0; i < calls; i++)
            call(argument);
        double each = (now() - start) / calls;
        least = each < least ? each : least;
        /* the next window of the limits on stacks, and a drained lane */
        usleep(20000);
    }
    printf("%s %.1f\n", what, least);
}

/* Each with a stack of its own: one word of it is another place in the code,
 * or the copy would be a reference to the one before. */
static void measure_copies(volatile char *room)
{
    double least = 1e18;
    for (int i = 0; i < WINDOWS * COPIES; i++) {
        if (i % COPIES == 0)
            usleep(1200000);
        const char *place = reinterpret_cast<const char *>(&measure) + i;
        memcpy(const_cast<char *>(room), &place, sizeof place);
        double start = now();
        copied(1);
        double each = now() - start;
        least = each < least ? each : least;
    }
    printf("copy_16k %.1f\n", least);
}

/* Below 16 KiB of stack, so that a copy is a whole one. */
__attribute__((noinline)) static void deep()
{
    alignas(8) volatile char room[DEPTH];
    memset(const_cast<char *>(room), 1, sizeof room);
    measure("fine", fine, CALLS, 1);
    measure("fails", fails, CALLS, 1);
    measure("throw_caught", throws, CALLS, 1);
    measure("throw_passes", caught, CALLS, 1);
    measure_copies(room);
    measure("reads", reads, 1, CALLS);
    __asm__ volatile("" : : "r"(room) : "memory");
}

int main(int argc, char **)
{
    if (argc > 1) /* nothing else: errors.py runs it often, in turn */
        measure("fine", fine, CALLS, 1);
    else
        deep();
    return 0;
}
