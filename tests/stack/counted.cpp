/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that call a handler until the process dies. Each call has a number
 * of its own, and marks it in a file mapping of the test: that is the truth.
 *
 *   counted MARKS HOW AFTER    HOW: kill segv abort exit _exit
 */
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <time.h>
#include <unistd.h>

enum {
    THREADS = 4,
    MARKS = 1 << 16
};

static volatile uint8_t *marks;
static std::string how;
static long end_at;
static int *volatile nowhere;

static void die()
{
    if (how == "segv")
        *nowhere = 1;
    if (how == "abort")
        abort();
    if (how == "exit")
        exit(1);
    if (how == "_exit")
        _exit(1);
    /* kill: the test does it; a thread goes on */
}

extern "C" __attribute__((noinline, used)) long counted(long number)
{
    struct timespec some = {0, 20000};
    marks[number] = 1;
    if (number == end_at)
        die();
    nanosleep(&some, nullptr);
    return number;
}

int main(int, char **argv)
{
    static long next;
    int fd = open(argv[1], O_RDWR);
    marks = static_cast<uint8_t *>(
        mmap(nullptr, MARKS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    how = argv[2];
    end_at = atol(argv[3]);
    for (int i = 0; i < THREADS; i++)
        std::thread([] {
            for (;;) {
                long number = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
                if (number >= MARKS)
                    _exit(9);
                counted(number);
            }
        }).detach();
    for (;;)
        pause();
}
