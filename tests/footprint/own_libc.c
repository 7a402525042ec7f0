// SPDX-License-Identifier: Apache-2.0
/*
 * A program with functions of libc of its own, as sanitizers, fakechroot and
 * memory debuggers have them: exported, ready only after its constructor, and
 * counting. Calls before that end the program; at the end it says how many
 * calls were not its own.
 */
#include <stddef.h>
#include <stdint.h>

#define EXPORTED __attribute__((visibility("default"), noinline))
/* Never called by this program, and it is linked to nothing that does. */
#define OURS(result, name, args, value)                                        \
    EXPORTED result name args;                                                 \
    EXPORTED result name args                                                  \
    {                                                                          \
        called(#name);                                                         \
        return value;                                                          \
    }

static int is_ready;
static unsigned calls;
static const char *first;

static void called(const char *name)
{
    if (!is_ready)
        __builtin_trap();
    first = calls++ ? first : name;
}

struct stat;
struct rlimit;
struct timespec;
OURS(int, access, (const char *p, int m), (int)(uintptr_t)p + m)
OURS(int, chmod, (const char *p, unsigned m), (int)(uintptr_t)p + (int)m)
OURS(int, clock_gettime, (int c, struct timespec *t), c + (int)(uintptr_t)t)
OURS(int, dl_iterate_phdr, (void *f, void *d), (int)(uintptr_t)f + (d != 0))
OURS(int, fstat, (int fd, struct stat *s), fd + (int)(uintptr_t)s)
OURS(int, stat, (const char *p, struct stat *s), (p != 0) + (s != 0))
OURS(int, ftruncate, (int fd, long n), fd + (int)n)
OURS(unsigned long, getauxval, (unsigned long t), t)
OURS(int, getrlimit, (int r, struct rlimit *l), r + (l != 0))
OURS(long, getrandom, (void *p, size_t n, unsigned f), (p != 0) + (long)n + f)
OURS(int, madvise, (void *p, size_t n, int a), (p != 0) + (int)n + a)
OURS(int, mkdir, (const char *p, unsigned m), (p != 0) + (int)m)
OURS(int, mprotect, (void *p, size_t n, int a), (p != 0) + (int)n + a)
OURS(int, munmap, (void *p, size_t n), (p != 0) + (int)n)
OURS(int, on_exit, (void *f, void *d), (f != 0) + (d != 0))
OURS(int, open, (const char *p, int f, ...), (p != 0) + f)
OURS(int, openat, (int d, const char *p, int f, ...), d + (p != 0) + f)
OURS(int, prctl, (int o, ...), o)
OURS(long, pread, (int fd, void *p, size_t n, long o),
     fd + (p != 0) + (long)n + o)
OURS(long, pwrite, (int fd, void *p, size_t n, long o),
     fd + (p != 0) + (long)n + o)
OURS(long, read, (int fd, void *p, size_t n), fd + (p != 0) + (long)n)
OURS(long, readlink, (const char *p, char *b, size_t n),
     (p != 0) + (b != 0) + (long)n)
OURS(int, sigaction, (int s, const void *a, void *o), s + (a != 0) + (o != 0))
OURS(int, sigfillset, (void *s), s != 0)
OURS(long, syscall, (long n, ...), n)
OURS(int, pthread_mutex_lock, (void *m), m != 0)
OURS(int, pthread_setcancelstate, (int s, int *o), s + (o != 0))
OURS(size_t, strlen, (const char *s), s != 0)
OURS(int, strcmp, (const char *a, const char *b), (a != 0) + (b != 0))
OURS(int, strncmp, (const char *a, const char *b, size_t n), (a != b) + (int)n)
OURS(char *, strchr, (const char *s, int c), c ? NULL : (char *)(uintptr_t)s)
OURS(void *, memchr, (const void *s, int c, size_t n),
     c + n ? NULL : (void *)(uintptr_t)s)
OURS(int, memcmp, (const void *a, const void *b, size_t n), (a != b) + (int)n)
OURS(void *, memcpy, (void *a, const void *b, size_t n),
     n ? a : (void *)(uintptr_t)b)
OURS(void *, memmove, (void *a, const void *b, size_t n),
     n ? a : (void *)(uintptr_t)b)
OURS(void *, memset, (void *a, int c, size_t n), c + n ? a : a)
OURS(int *, __errno_location, (void), (int *)&calls)

int work(int n);
EXPORTED int work(int n)
{
    __asm__ volatile("" : "+r"(n));
    return n + 1;
}

__attribute__((constructor)) static void get_ready(void)
{
    is_ready = 1;
}

static long raw_write(const char *text, long n)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(1L /* SYS_write */), "D"(1L), "S"(text), "d"(n)
                     : "rcx", "r11", "memory");
    return result;
}

int main(void)
{
    int sum = 0;
    for (int i = 0; i < 100; i++)
        sum += work(i);
    if (sum == 5050 && calls == 0)
        raw_write("ok\n", 3);
    else if (first)
        raw_write(first, 8);
    return calls != 0;
}
