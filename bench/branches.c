/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the pass over an object costs that finds who branches where: the least
 * of some rounds, in milliseconds of CPU, as a program's start does it (fresh
 * memory, the object's pages in the page cache).
 *
 *   bench_branches FILE...
 *
 * Built in an older tree by bench/branches.py, too, which compares both.
 */
#define _GNU_SOURCE
#if __has_include("shim/plan/image/image.h")
#include "shim/plan/image/image.h"
#include "shim/plan/image/image_internal.h"
#else /* a commit of before the rooms */
#include "shim/plan/image.h"
#include "shim/plan/image_internal.h"
#endif

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    ROUNDS = 9
};

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* As module_find_branches() has it. */
static double look(struct plan_image *image)
{
    size_t len = plan_image_branches_bytes(image);
    double start = now_ms();
    void *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return -1;
    if (len >= 4 << 20 && USE_LARGE_PAGES)
        (void)madvise(at, len, MADV_HUGEPAGE);
    (void)plan_image_find_branches(image, at);
    munmap(at, len);
    return now_ms() - start;
}

static int one(const char *path)
{
    struct plan_image image;
    struct stat st;
    const char *why;
    uint64_t low, high;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return 1;
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ,
                       MAP_PRIVATE | MAP_POPULATE, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED ||
        plan_image_file(&image, bytes, (size_t)st.st_size, &why) != 0 ||
        !image_code_range(&image, &low, &high))
        return 1;
    double least = look(&image);
    for (int i = 1; i < ROUNDS; i++) {
        double ms = look(&image);
        if (ms < least)
            least = ms;
    }
    printf("%s\t%.1f\t%.2f\n", path, (double)(high - low) / 1e6, least);
    munmap(bytes, (size_t)st.st_size);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = argc < 2;
    for (int i = 1; i < argc; i++)
        failed |= one(argv[i]);
    return failed;
}
