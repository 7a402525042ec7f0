/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls under their names of libc: see own.h. They are no cancellation
 * points, set no errno but ours, and nobody can come in between.
 * [any thread, signal-safe]
 */
#define _GNU_SOURCE
#include "lane/x86_64/machine.h"
#include "shim/checker.h"
#include "preload/own/own.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ERRNO_MAX = 4095,
    FACCESSAT2 = 439, /* Linux 5.8 */
    SYSCALL_ARGS = 6,
};

static __thread int own_errno;

int *__errno_location(void)
{
    return &own_errno;
}

static long checked(long result)
{
    if ((unsigned long)result < (unsigned long)-ERRNO_MAX)
        return result;
    own_errno = (int)-result;
    return -1;
}

static long call(long number, long a, long b, long c, long d)
{
    return checked(machine_syscall(number, a, b, c, d, 0, 0));
}

long syscall(long number, ...)
{
    long arg[SYSCALL_ARGS];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < SYSCALL_ARGS; i++)
        arg[i] = va_arg(list, long);
    va_end(list);
    return checked(machine_syscall(number, arg[0], arg[1], arg[2], arg[3],
                                   arg[4], arg[5]));
}

static struct {
    pid_t pid; /* 0: for nobody else */
    bool is_otherwise;
    uid_t uid;
} speaks;

void own_speak_for(int pid, bool otherwise, unsigned uid)
{
    speaks.pid = pid;
    speaks.is_otherwise = otherwise;
    speaks.uid = uid;
}

/* ---- files ------------------------------------------------------------ */

int openat(int dir_fd, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(list, int) : 0;
    va_end(list);
    return (int)call(SYS_openat, dir_fd, (long)path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(list, int) : 0;
    va_end(list);
    return (int)call(SYS_openat, AT_FDCWD, (long)path, flags, mode);
}

int close(int fd)
{
    return (int)call(SYS_close, fd, 0, 0, 0);
}

ssize_t read(int fd, void *to, size_t n)
{
    return call(SYS_read, fd, (long)to, (long)n, 0);
}

ssize_t write(int fd, const void *from, size_t n)
{
    return call(SYS_write, fd, (long)from, (long)n, 0);
}

ssize_t pread(int fd, void *to, size_t n, off_t at)
{
    return call(SYS_pread64, fd, (long)to, (long)n, at);
}

ssize_t pwrite(int fd, const void *from, size_t n, off_t at)
{
    return call(SYS_pwrite64, fd, (long)from, (long)n, at);
}

int ftruncate(int fd, off_t len)
{
    return (int)call(SYS_ftruncate, fd, len, 0, 0);
}

int fstat(int fd, struct stat *out)
{
    if (speaks.is_otherwise)
        return (int)call(SYS_newfstatat, fd, (long)"", (long)out,
                         AT_EMPTY_PATH);
    return (int)call(SYS_fstat, fd, (long)out, 0, 0);
}

int stat(const char *path, struct stat *out)
{
    return (int)call(SYS_newfstatat, AT_FDCWD, (long)path, (long)out, 0);
}

int lstat(const char *path, struct stat *out)
{
    return (int)call(SYS_newfstatat, AT_FDCWD, (long)path, (long)out,
                     AT_SYMLINK_NOFOLLOW);
}

int fstatat(int dir_fd, const char *path, struct stat *out, int flags)
{
    return (int)call(SYS_newfstatat, dir_fd, (long)path, (long)out, flags);
}

int fstatfs(int fd, struct statfs *out)
{
    return (int)call(SYS_fstatfs, fd, (long)out, 0, 0);
}

int fchmod(int fd, mode_t mode)
{
    return (int)call(SYS_fchmod, fd, (long)mode, 0, 0);
}

int chmod(const char *path, mode_t mode)
{
    return (int)call(SYS_fchmodat, AT_FDCWD, (long)path, (long)mode, 0);
}

/* The flag that libc emulates (no symbolic links) is not to be had. */
int fchmodat(int dir_fd, const char *path, mode_t mode, int flags)
{
    if (flags != 0) {
        own_errno = EOPNOTSUPP;
        return -1;
    }
    return (int)call(SYS_fchmodat, dir_fd, (long)path, (long)mode, 0);
}

int mkdir(const char *path, mode_t mode)
{
    return (int)call(SYS_mkdirat, AT_FDCWD, (long)path, (long)mode, 0);
}

int mkdirat(int dir_fd, const char *path, mode_t mode)
{
    return (int)call(SYS_mkdirat, dir_fd, (long)path, (long)mode, 0);
}

int unlinkat(int dir_fd, const char *path, int flags)
{
    return (int)call(SYS_unlinkat, dir_fd, (long)path, flags, 0);
}

int faccessat(int dir_fd, const char *path, int mode, int flags)
{
    if (flags != 0 || speaks.is_otherwise) {
        int result = (int)call(FACCESSAT2, dir_fd, (long)path, mode, flags);
        if (result == 0 || own_errno != ENOSYS)
            return result;
    } /* before Linux 5.8: nothing is done with AT_SECURE, so the ids agree */
    return (int)call(SYS_faccessat, dir_fd, (long)path, mode, 0);
}

int access(const char *path, int mode)
{
    if (speaks.is_otherwise)
        return (int)call(SYS_access, (long)path, mode, 0, 0);
    return (int)call(SYS_faccessat, AT_FDCWD, (long)path, mode, 0);
}

ssize_t readlink(const char *path, char *to, size_t n)
{
    if (speaks.is_otherwise)
        return call(SYS_readlink, (long)path, (long)to, (long)n, 0);
    return call(SYS_readlinkat, AT_FDCWD, (long)path, (long)to, (long)n);
}

char *getcwd(char *to, size_t n)
{
    /* "(unreachable)/...": libc refuses it, too */
    return call(SYS_getcwd, (long)to, (long)n, 0, 0) > 0 && *to == '/' ? to
                                                                       : NULL;
}

int flock(int fd, int operation)
{
    return (int)call(SYS_flock, fd, operation, 0, 0);
}

int fcntl(int fd, int command, ...)
{
    va_list list;
    va_start(list, command);
    long value = va_arg(list, long);
    va_end(list);
    return (int)call(SYS_fcntl, fd, command, value, 0);
}

/* ---- memory ----------------------------------------------------------- */

/* The linker's: where this object begins and ends. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

/* What we mapped in large pieces, for who wants to know the program's share. */
enum {
    LARGE_BYTES = 64 * 1024,
    LARGE_MAX = 64,
};
static struct {
    uint64_t at, len; /* at 0: free; len is there before */
} large[LARGE_MAX];

static void large_add(uint64_t at, uint64_t len)
{
    lane_assert(at != 0 && len % 4096 == 0);
    for (int i = 0; i < LARGE_MAX; i++) {
        uint64_t none = 0;
        if (!__atomic_compare_exchange_n(&large[i].len, &none, len, false,
                                         __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            continue;
        /* release; pairs with large_forget() and own_next_large() */
        __atomic_store_n(&large[i].at, at, __ATOMIC_RELEASE);
        return;
    }
}

/* Of a hole in the middle what lies below it is kept. */
static void large_forget(uint64_t at, uint64_t len)
{
    for (int i = 0; i < LARGE_MAX; i++) {
        /* acquire; pairs with large_add() */
        uint64_t low = __atomic_load_n(&large[i].at, __ATOMIC_ACQUIRE);
        uint64_t high = low + large[i].len, end = at + len;
        if (!low || end <= low || at >= high)
            continue;
        bool is_kept = at > low;
        __atomic_store_n(&large[i].at, is_kept ? low : 0, __ATOMIC_RELAXED);
        /* release: free from here on; pairs with large_add() */
        __atomic_store_n(&large[i].len, is_kept ? at - low : 0,
                         __ATOMIC_RELEASE);
    }
}

static void take_lower(uint64_t from, uint64_t at, uint64_t end, uint64_t *low,
                       uint64_t *high)
{
    lane_assert(at <= end);
    if (at == 0 || end <= from || at >= *low)
        return;
    *low = at;
    *high = end;
}

bool own_next_large(uint64_t from, uint64_t *low, uint64_t *high)
{
    *low = UINT64_MAX;
    take_lower(from, (uint64_t)__ehdr_start, (uint64_t)_end, low, high);
    for (int i = 0; i < LARGE_MAX; i++) {
        /* acquire; pairs with large_add() */
        uint64_t at = __atomic_load_n(&large[i].at, __ATOMIC_ACQUIRE);
        take_lower(from, at, at + large[i].len, low, high);
    }
    return *low != UINT64_MAX;
}

void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    void *got = (void *)checked(
        machine_syscall(SYS_mmap, (long)at, (long)n, prot, flags, fd, offset));
    if (got == MAP_FAILED)
        return got;
    checker_is_shared(got, n);
    if (n >= LARGE_BYTES && !(flags & MAP_FIXED))
        large_add((uint64_t)got, (n + 4095) & ~UINT64_C(4095));
    return got;
}

int munmap(void *at, size_t n)
{
    large_forget((uint64_t)at, n);
    return (int)call(SYS_munmap, (long)at, (long)n, 0, 0);
}

int mprotect(void *at, size_t n, int prot)
{
    return (int)call(SYS_mprotect, (long)at, (long)n, prot, 0);
}

int madvise(void *at, size_t n, int advice)
{
    return (int)call(SYS_madvise, (long)at, (long)n, advice, 0);
}

/* ---- the process ------------------------------------------------------ */

pid_t getpid(void)
{
    return speaks.pid ? speaks.pid : (pid_t)call(SYS_getpid, 0, 0, 0, 0);
}

uid_t geteuid(void)
{
    return speaks.is_otherwise ? speaks.uid
                               : (uid_t)call(SYS_geteuid, 0, 0, 0, 0);
}

int getrlimit(__rlimit_resource_t resource, struct rlimit *out)
{
    return (int)call(SYS_prlimit64, 0, (long)resource, 0, (long)out);
}

ssize_t getrandom(void *to, size_t n, unsigned flags)
{
    return call(SYS_getrandom, (long)to, (long)n, (long)flags, 0);
}

int prctl(int option, ...)
{
    long arg[4];
    va_list list;
    va_start(list, option);
    for (int i = 0; i < 4; i++)
        arg[i] = va_arg(list, long);
    va_end(list);
    return (int)checked(
        machine_syscall(SYS_prctl, option, arg[0], arg[1], arg[2], arg[3], 0));
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    return (pid_t)call(SYS_wait4, pid, (long)status, options, 0);
}

/* What was mapped as a library of ours found a fault in itself. */
void abort(void)
{
    call(SYS_tgkill, call(SYS_getpid, 0, 0, 0, 0), call(SYS_gettid, 0, 0, 0, 0),
         SIGABRT, 0);
    __builtin_trap();
}

/* ---- signals ---------------------------------------------------------- */

/* The kernel's sigaction. */
struct disposition {
    uint64_t handler, flags;
    void (*restorer)(void);
    uint64_t mask;
};
enum {
    SA_RESTORES = 0x04000000
};

/* What a handler returns to: unwinders and debuggers know it by its bytes. */
__attribute__((visibility("hidden"))) void own_restore(void);
__asm__(".text\n"
        ".balign 16\n"
        "nop\n" /* unwinders look at the byte before */
        ".hidden own_restore\n"
        ".globl own_restore\n"
        ".type own_restore, @function\n"
        "own_restore:\n"
        "mov $15, %rax\n"
        "syscall\n"
        ".size own_restore, . - own_restore\n");

int sigaction(int number, const struct sigaction *set, struct sigaction *was)
{
    struct disposition new = {0}, old = {0};
    if (set) {
        new.handler = (uint64_t)set->sa_handler;
        new.flags = (uint64_t)(unsigned)set->sa_flags | SA_RESTORES;
        new.restorer = own_restore;
        __builtin_memcpy(&new.mask, &set->sa_mask, sizeof(new.mask));
    }
    if (call(SYS_rt_sigaction, number, set ? (long)&new : 0,
             was ? (long)&old : 0, sizeof(new.mask)) != 0)
        return -1;
    if (was) {
        *was = (struct sigaction){.sa_flags = (int)old.flags,
                                  .sa_restorer = old.restorer};
        was->sa_handler = (__sighandler_t)old.handler;
        __builtin_memcpy(&was->sa_mask, &old.mask, sizeof(old.mask));
    }
    return 0;
}

int sigfillset(sigset_t *set)
{
    memset(set, 0xff, sizeof(*set));
    return 0;
}
