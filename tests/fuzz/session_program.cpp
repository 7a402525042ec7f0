/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program whose session has something of everything: threads, values, failed
 * calls with errno, stderr and stack, exceptions, a child that dies by a signal
 * within a call.
 */
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#define TRACED extern "C" __attribute__((noinline)) long

TRACED inner(long number, const char *text)
{
    __asm__ volatile("" ::"r"(text) : "memory");
    return number + (long)strlen(text);
}

TRACED fails(long number)
{
    int fd = open("/nowhere/at/all", O_RDONLY);
    fprintf(stderr, "no file for %ld\n", number);
    __asm__ volatile("" ::: "memory");
    return fd;
}

TRACED throws(long number)
{
    if (number >= 0)
        throw std::runtime_error("too many");
    return 0;
}

TRACED outer(long number)
{
    long sum = inner(number, "some text that is kept") + fails(number);
    try {
        sum += throws(number);
    } catch (const std::exception &) {
        sum++;
    }
    return sum;
}

TRACED dies(long number)
{
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    raise(SIGSEGV);
    return number;
}

int main()
{
    std::thread other([] { outer(2); });
    long sum = outer(1);
    other.join();
    pid_t child = fork();
    if (child == 0) {
        dies(3);
        _exit(0);
    }
    (void)waitpid(child, nullptr, 0);
    printf("%ld\n", sum);
    return 0;
}
