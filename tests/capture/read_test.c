/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Safe reads: memory that is not there, that ends, that wraps, that another
 * thread unmaps all the time; and, with an argument, what a read costs.
 */
#include "preload/call/memory/read.h"
#include "preload/call/memory/read_pages.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum {
    PAGE = 4096
};

static int failures;
#define CHECK(cond)                                                            \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);         \
            failures++;                                                        \
        }                                                                      \
    } while (0)

static struct reader reader;

static char *map_pages(size_t pages)
{
    return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static size_t at(void *dst, const void *addr, size_t n)
{
    return read_bytes(&reader, dst, (uint64_t)(uintptr_t)addr, n);
}

static void test_edges(void)
{
    static char buf[64 * PAGE];
    char *map = map_pages(40);
    for (size_t i = 0; i < 40 * PAGE; i++)
        map[i] = (char)(i * 7);
    munmap(map + 20 * PAGE, PAGE);
    for (size_t n = 0; n < 3 * PAGE; n += 1 + n / 3)
        for (size_t from = 17 * PAGE; from < 22 * PAGE; from += 611) {
            size_t want = from >= 20 * PAGE && from < 21 * PAGE ? 0
                          : from < 20 * PAGE && from + n > 20 * PAGE
                              ? 20 * PAGE - from
                              : n;
            memset(buf, 0, n);
            CHECK(at(buf, map + from, n) == want);
            CHECK(memcmp(buf, map + from, want) == 0);
        }
    CHECK(at(buf, map, 64 * PAGE) == 20 * PAGE);
    mprotect(map + 5 * PAGE, PAGE, PROT_NONE);
    CHECK(at(buf, map + 4 * PAGE, 2 * PAGE) == PAGE);
    CHECK(at(buf, NULL, 8) == 0);
    CHECK(at(buf, (void *)64, 8) == 0);
    CHECK(read_bytes(&reader, buf, UINT64_MAX, 8) == 0);
    CHECK(read_bytes(&reader, buf, UINT64_MAX - 3, 16) == 0);
    CHECK(read_bytes(&reader, buf, 0x800000000000, 16) == 0);
    CHECK(read_bytes(&reader, buf, 0x7ffffffffff0, UINT64_MAX) == 0);
    CHECK(read_bytes(&reader, buf, 0xffffffffff600000, 8) == 0);
    munmap(map, 40 * PAGE);
}

/* The kernel is not asked for what lies in a range. */
static void test_ranges(void)
{
    char buf[2 * PAGE];
    char *map = map_pages(2);
    uint64_t low = (uint64_t)(uintptr_t)map;
    struct reader nobody = {.pid = 0x7ffffff0}; /* whose reads all fail */
    memset(map, 'r', 2 * PAGE);
    CHECK(read_bytes(&nobody, buf, low, 16) == 0);
    CHECK(read_add_range(low, low + PAGE) == 0);
    CHECK(read_bytes(&nobody, buf, low, 16) == 16 && buf[15] == 'r');
    CHECK(read_bytes(&nobody, buf, low + PAGE - 4, 16) == 4);
    CHECK(at(buf, map + PAGE - 4, 16) == 16); /* the rest by the kernel */
    CHECK(read_bytes(&nobody, buf, low + PAGE, 16) == 0);
    read_drop_range(low + 8, low + 9);
    CHECK(read_bytes(&nobody, buf, low, 16) == 0);
    for (uint64_t i = 0; i < READ_RANGE_MAX; i++)
        CHECK(read_add_range(1 + i * 16, 9 + i * 16) == 0);
    CHECK(read_add_range(low, low + PAGE) < 0);
    read_drop_range(0, UINT64_MAX);
    CHECK(read_add_range(low, low + PAGE) == 0);
    read_drop_range(low, low + 1);
    /* the own stack, above the stack pointer */
    volatile char above[32] = "above";
    uint64_t here = (uint64_t)(uintptr_t)above;
    struct reader own;
    reader_start(&own, 0x7ffffff0, here - 65536, here + sizeof(above));
    CHECK(read_bytes(&own, buf, here, 5) == 5 && buf[0] == 'a');
    CHECK(read_bytes(&own, buf, here - 65000, 8) == 0);
    reader_start(&own, 0x7ffffff0, low, low + PAGE); /* on another stack */
    CHECK(read_bytes(&own, buf, low, 8) == 0);
    munmap(map, 2 * PAGE);
}

static _Atomic bool stop;
static char *shared;

static void *come_and_go(void *unused)
{
    while (!stop) {
        munmap(shared + PAGE, PAGE);
        mmap(shared + PAGE, PAGE, PROT_READ,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    }
    return unused;
}

static void test_race(void)
{
    pthread_t thread;
    char buf[3 * PAGE];
    uint32_t whole = 0, part = 0;
    stop = false;
    shared = map_pages(3);
    CHECK(pthread_create(&thread, NULL, come_and_go, NULL) == 0);
    for (int i = 0; i < 1000000 && (i < 20000 || !whole || !part); i++) {
        size_t n = at(buf, shared, 3 * PAGE);
        /* a page that vanishes while it is copied ends it anywhere */
        CHECK(n >= PAGE && n <= 3 * PAGE);
        whole += n == 3 * PAGE;
        part += n == PAGE;
    }
    CHECK(whole && part);
    stop = true;
    pthread_join(thread, NULL);
}

static _Atomic uint32_t fixed;

static void on_fault(int number, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    (void)info;
    if (!read_fix_fault((uint64_t *)&u->uc_mcontext.gregs[REG_RIP])) {
        signal(number, SIG_DFL);
        return;
    }
    fixed++;
}

static void block(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGBUS);
    pthread_sigmask(how, &set, NULL);
}

static bool repairs(uint64_t handler, uint64_t flags)
{
    (void)flags;
    return handler == (uint64_t)(uintptr_t)on_fault;
}

/* A reader that the kernel refuses shows what is copied without it. */
static void test_pages(void)
{
    char buf[3 * PAGE];
    struct reader nobody = {.pid = 0x7ffffff0};
    char *map = map_pages(3);
    uint64_t low = (uint64_t)(uintptr_t)map;
    memset(map, 'p', 3 * PAGE);
    CHECK(at(buf, map, 8) == 8);
    CHECK(read_bytes(&nobody, buf, low, 8) == 0); /* off */
    read_pages_enable(repairs);
    block(SIG_BLOCK);
    CHECK(at(buf, map, 8) == 8);
    CHECK(read_bytes(&nobody, buf, low, 8) == 0); /* not learned */
    block(SIG_UNBLOCK);
    /* known for some 40 ms: again, if this thread had to wait that long */
    size_t got = 0;
    for (int i = 0; i < 1000 && got != 2 * PAGE; i++) {
        CHECK(at(buf, map + PAGE - 4, 8) == 8);
        memset(buf, 0, sizeof(buf));
        got = read_bytes(&nobody, buf, low, 3 * PAGE);
    }
    CHECK(got == 2 * PAGE);
    CHECK(buf[0] == 'p' && buf[2 * PAGE - 1] == 'p' && buf[2 * PAGE] == 0);
    mprotect(map + PAGE, PAGE, PROT_NONE);
    CHECK(at(buf, map, 3 * PAGE) == PAGE && fixed == 1);
    CHECK(at(buf, map, 3 * PAGE) == PAGE && fixed == 1); /* forgotten */
    /* SIGBUS: a file that lost its end */
    int fd = memfd_create("capture-read", 0);
    CHECK(fd >= 0 && ftruncate(fd, 2 * PAGE) == 0);
    char *file = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(at(buf, file, 2 * PAGE) == 2 * PAGE);
    CHECK(ftruncate(fd, PAGE) == 0);
    CHECK(at(buf, file + PAGE - 8, 16) == 8 && fixed == 2);
    close(fd);
    munmap(file, 2 * PAGE);
    munmap(map, 3 * PAGE);
}

/* The program installs a handler of its own behind libc's back. */
static void test_entry_lost(void)
{
    char buf[8];
    struct reader nobody = {.pid = 0x7ffffff0};
    struct sigaction ours, other = {.sa_handler = SIG_DFL};
    char *map = map_pages(1);
    memset(map, 'e', PAGE);
    CHECK(sigaction(SIGBUS, &other, &ours) == 0);
    CHECK(at(buf, map, 8) == 8);
    CHECK(read_bytes(&nobody, buf, (uint64_t)(uintptr_t)map, 8) == 0);
    CHECK(sigaction(SIGBUS, &ours, NULL) == 0);
    CHECK(at(buf, map, 8) == 8); /* off for good */
    CHECK(read_bytes(&nobody, buf, (uint64_t)(uintptr_t)map, 8) == 0);
    read_pages_enable(repairs);
    CHECK(at(buf, map, 8) == 8);
    CHECK(read_bytes(&nobody, buf, (uint64_t)(uintptr_t)map, 8) == 8);
    munmap(map, PAGE);
}

/* Every length at every distance from the end of what is there; `first` and
 * the text's end as the three ways of reading see them. */
static void check_text(char *end, size_t len, size_t n, bool has_nul)
{
    uint8_t buf[96];
    char *text = end - len - has_nul;
    struct read_part part = read_text(&reader, buf, (uint64_t)text, n);
    uint64_t want = n <= len ? READ_FULL : has_nul ? READ_NUL : READ_FAULTED;
    CHECK(part.len == (n < len ? n : len) && part.end == want);
    CHECK(memcmp(buf, text, part.len) == 0);
}

static void test_texts(void)
{
    char *map = map_pages(3), *end = map + 2 * PAGE;
    munmap(end, PAGE);
    for (int pass = 0; pass < 3; pass++) {
        read_pages_enable(pass > 0 ? repairs : NULL);
        if (pass == 2)
            CHECK(read_add_range((uint64_t)map, (uint64_t)end) == 0);
        for (size_t len = 0; len < 40; len++)
            for (size_t n = 0; n < 48; n++) {
                memset(map, 0, 2 * PAGE);
                memset(end - len, 'x', len);
                check_text(end, len, n, false);
                memset(end - len - 1, 'y', len);
                end[-1] = 0;
                check_text(end, len, n, true);
                memset(map + PAGE - 8, 'z', 16);
                map[PAGE + 8] = 0;
                check_text(map + PAGE + 9, 16, n, true);
            }
    }
    /* a range that lost its memory, as a program can bring about: texts and
     * bytes, by words, by bytes and by rep movsb */
    char buf[PAGE];
    uint32_t before = fixed;
    CHECK(mprotect(map, 2 * PAGE, PROT_NONE) == 0);
    check_text(end, 0, 32, false);
    CHECK(read_text(&reader, buf, (uint64_t)map, 32).end == READ_FAULTED);
    CHECK(read_text(&reader, buf, (uint64_t)end - 3, 3).end == READ_FAULTED);
    CHECK(at(buf, map, 32) == 0 && at(buf, map, 3) == 0);
    CHECK(at(buf, map, PAGE) == 0);
    CHECK(fixed == before + 5);
    read_drop_range((uint64_t)map, (uint64_t)end);
    munmap(map, 2 * PAGE);
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void measure(const char *what, const struct reader *r, uint64_t addr,
                    size_t n)
{
    char buf[4096];
    enum {
        ROUNDS = 200000
    };
    double t0 = now_ns();
    for (int i = 0; i < ROUNDS; i++)
        read_bytes(r, buf, addr, n);
    printf("%-28s %5zu bytes %8.1f ns\n", what, n, (now_ns() - t0) / ROUNDS);
}

static void measure_all(void)
{
    static const size_t sizes[] = {8, 64, 160, 4096};
    char local[4096];
    struct reader own;
    char *map = map_pages(1);
    uint64_t heap = (uint64_t)(uintptr_t)map;
    uint64_t low = (uint64_t)(uintptr_t)local;
    memset(map, 1, PAGE);
    memset(local, 1, sizeof(local));
    reader_start(&own, (uint32_t)getpid(), low - 65536, low + sizeof(local));
    for (size_t i = 0; i < 4; i++)
        measure("process_vm_readv", &own, heap, sizes[i]);
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    read_pages_enable(repairs);
    for (size_t i = 0; i < 4; i++)
        measure("page seen before", &own, heap, sizes[i]);
    read_pages_enable(NULL);
    for (size_t i = 0; i < 4; i++)
        measure("own stack", &own, low, sizes[i]);
    for (uint64_t i = 0; i < 200; i++)
        (void)!read_add_range(1 + i * 16, 9 + i * 16);
    (void)!read_add_range(heap, heap + PAGE);
    for (size_t i = 0; i < 4; i++)
        measure("range (201 in the table)", &own, heap, sizes[i]);
}

int main(int argc, char **argv)
{
    (void)argv;
    read_pages_use(0);
    reader_start(&reader, (uint32_t)getpid(), 0, 0);
    read_pages_use(0); /* as a thread with a lane */
    if (argc > 1) {
        measure_all();
        return 0;
    }
    test_edges();
    test_ranges();
    test_race();
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    test_pages();
    test_entry_lost();
    test_texts();
    read_pages_enable(repairs);
    /* the race is won by chance: play until it was lost once */
    fixed = 0;
    for (int i = 0; i < 200 && fixed == 0; i++)
        test_race();
    CHECK(fixed > 0);
    read_pages_enable(NULL);
    read_forbid_syscalls();
    CHECK(at((char[8]){0}, shared, 8) == 0);
    return failures != 0;
}
