/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See filter.h. What is called until a child has tried is what the loader and
 * libc called just before: openat, read, close, mmap, munmap, prlimit64.
 */
#include "preload/start/filter.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "lane/x86_64/machine.h"
#include "preload/settings/config.h"
#include "preload/own/own.h"
#include "lane/format/assert.h"

enum {
    STATUS_BYTES = 4096,
    PAGE = 4096,
    NO_CORE = 1, /* the one limit that core_pattern's pipes respect, core(5) */
};

static bool may_wait;
static uint64_t my_pid, my_uid; /* read, not asked for */

/* How far a child came. */
enum progress {
    TRIES,
    MAY_WAIT,
    MAY_ALL
};

/* What we call, with arguments that do nothing (-1 is no descriptor). */
static const struct {
    long number, a, b, c;
} tried[] = {
    {SYS_pread64, -1, 0, 0},
    {SYS_pwrite64, -1, 0, 0},
    {SYS_write, -1, 0, 0},
    {SYS_fstat, -1, 0, 0},
    {SYS_stat, 0, 0, 0},
    {SYS_newfstatat, -1, 0, 0},
    {SYS_readlinkat, -1, 0, 0},
    {SYS_faccessat, -1, 0, 0},
    {SYS_fstatfs, -1, 0, 0},
    {SYS_fchmod, -1, 0, 0},
    {SYS_ftruncate, -1, 0, 0},
    {SYS_mkdirat, -1, 0, 0},
    {SYS_unlinkat, -1, 0, 0},
    {SYS_linkat, -1, 0, -1},
    {SYS_getdents64, -1, 0, 0},
    {SYS_mprotect, 0, 0, 0},
    {SYS_madvise, 0, 0, 0},
    {SYS_getrandom, 0, 0, 0},
    {SYS_geteuid, 0, 0, 0},
    {SYS_getegid, 0, 0, 0},
    {SYS_getgroups, 0, 0, 0},
    {SYS_getpid, 0, 0, 0},
    {SYS_gettid, 0, 0, 0},
    {SYS_prctl, -1, 0, 0},
    {SYS_getrlimit, -1, 0, 0},
    {SYS_getrusage, -2, 0, 0},
    {SYS_clock_gettime, CLOCK_MONOTONIC, 0, 0},
    {SYS_get_robust_list, 0, 0, 0},
    {SYS_rt_sigaction, -1, 0, 0},
    {SYS_rt_sigprocmask, -1, 0, 0},
};

static long raw(long number, long a, long b, long c, long d)
{
    return machine_syscall(number, a, b, c, d, 0, 0);
}

/* In the child: it says how far it came, and leaves no core where it ends. */
__attribute__((noreturn)) static void try_all(volatile uint32_t *progress)
{
    const struct rlimit none = {NO_CORE, NO_CORE};
    raw(SYS_prlimit64, 0, RLIMIT_CORE, (long)&none, 0);
    raw(SYS_wait4, -1, 0, WNOHANG | __WALL, 0);
    *progress = MAY_WAIT;
    for (size_t i = 0; i < sizeof(tried) / sizeof(*tried); i++)
        raw(tried[i].number, tried[i].a, tried[i].b, tried[i].c, 0);
    *progress = MAY_ALL;
    for (;;)
        raw(SYS_exit_group, 0, 0, 0, 0);
}

static bool child_may(volatile uint32_t *progress)
{
    lane_assert(*progress == TRIES);
    /* without a signal at its end; here the program stands until then */
    long pid = raw(SYS_clone, CLONE_VFORK, 0, 0, 0);
    if (pid == 0)
        try_all(progress);
    if (pid < 0)
        return true; /* not known */
    may_wait = *progress >= MAY_WAIT;
    if (may_wait)
        raw(SYS_wait4, pid, 0, __WALL, 0);
    return *progress == MAY_ALL;
}

/* True: the child was not ended by the filter. */
static bool tell(void (*say)(void), bool otherwise)
{
    const struct rlimit none = {NO_CORE, NO_CORE};
    int status = 0;
    long pid = raw(SYS_clone, CLONE_VFORK, 0, 0, 0);
    if (pid > 0)
        raw(SYS_wait4, pid, (long)&status, __WALL, 0);
    if (pid != 0)
        return status == 0;
    raw(SYS_prlimit64, 0, RLIMIT_CORE, (long)&none, 0);
    own_speak_for((int)my_pid, otherwise, (unsigned)my_uid);
    say();
    for (;;)
        raw(SYS_exit_group, 0, 0, 0, 0);
}

void filter_tell(void (*say)(void))
{
    if (may_wait && !tell(say, false))
        tell(say, true);
}

bool filter_allows_us(void)
{
    char status[STATUS_BYTES];
    uint64_t mode = 0;
    if (config_read_file("/proc/self/status", status, sizeof(status)) <= 0 ||
        !config_status_number(status, "\nSeccomp:", &mode) || mode == 0)
        return true;
    config.is_seccomp = true;
    config_status_number(status, "\nPid:", &my_pid);
    config_status_number(status, "\nUid:", &my_uid);
    void *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return false;
    bool may = child_may(shared);
    munmap(shared, PAGE);
    return may;
}
