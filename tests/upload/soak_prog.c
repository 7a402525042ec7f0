/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the soak traces: handlers with every kind of value, whose ids, values
 * and ends are known by construction. A call marks its byte of a file mapping
 * when it runs (1) and just before it returns (2), so that the test knows what
 * was begun and ended, however the program died.
 *
 *   soak_prog MARKS FIRST COUNT    ids FIRST to FIRST + COUNT - 1
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HANDLER __attribute__((noinline, noclone, visibility("default")))
enum {
    THREADS = 3,
    LONGEST = 66000
};

static volatile uint8_t *marks;
static long first, count;

/* soak_test.py has the same. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

/* One in 32 is up to 64 KiB, most are short. */
static size_t length_of(uint64_t seed)
{
    return (seed >> 8) % 32 == 0 ? (seed >> 16) % LONGEST : (seed >> 16) % 40;
}

HANDLER int leaf(long id, uint64_t whole, const unsigned char *data, size_t n)
{
    marks[id * 2 + 1] = 1;
    __asm__ volatile("" : : "r"(whole), "r"(data), "r"(n) : "memory");
    marks[id * 2 + 1] = 2;
    return (int)(id % 1000) - (id % 10 == 7 ? 2000 : 0);
}

HANDLER double outer(long id, const char *text, double ratio, char *out)
{
    static __thread unsigned char data[LONGEST];
    uint64_t seed = mix((uint64_t)id + 1);
    size_t n = length_of(mix(seed));
    marks[id * 2] = 1;
    for (size_t i = 0; i < n; i++)
        data[i] = (unsigned char)(seed >> i % 57);
    int got = leaf(id, seed, data, n);
    snprintf(out, 32, "out %d %c", got, text[0] ? text[0] : '-');
    marks[id * 2] = 2;
    return ratio / 2;
}

static void *work(void *arg)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz \"\\\n\t0123";
    static __thread char text[LONGEST + 1], out[32];
    for (long i = (long)(intptr_t)arg; i < count; i += THREADS) {
        long id = first + i;
        uint64_t seed = mix((uint64_t)id + 77);
        size_t n = length_of(seed);
        for (size_t j = 0; j < n; j++)
            text[j] = letters[(seed + j * (seed >> 32 | 1)) %
                              (sizeof letters - 1)];
        text[n] = '\0';
        outer(id, text, (double)(int64_t)seed / 1024, out);
        usleep(300); /* a load that two processors can bear */
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    if (argc != 4)
        return 2;
    first = atol(argv[2]);
    count = atol(argv[3]);
    int fd = open(argv[1], O_RDWR);
    size_t len = (size_t)(first + count) * 2;
    if (fd < 0 || ftruncate(fd, (off_t)len) != 0)
        return 2;
    marks = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (marks == MAP_FAILED)
        return 2;
    for (long i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i) != 0)
            return 2;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
