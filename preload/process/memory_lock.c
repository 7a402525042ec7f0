/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mlockall(): the session is a sparse file of some 200 MB, and to lock it would
 * make every page of it real. So the kernel is told to lock what is there as it
 * is touched (MCL_ONFAULT), and then each mapping but the session's is locked
 * as the program meant it.
 *
 * Who may not lock more than RLIMIT_MEMLOCK is refused if the whole address
 * space is larger, with ours in it. Where the program's own share is not, each
 * mapping of the program is locked one by one, to which only what is locked
 * counts.
 */
#include "preload/process/memory_lock.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include "lane/x86_64/machine.h"
#include "preload/bind/bind.h"
#include "preload/own/own.h"
#include "preload/call/record/process_self.h"
#include "preload/call/record/sandbox.h"
#include "lane/format/assert.h"

enum {
    MAPS_BYTES = 48 * 1024, /* at once, on a stack of ours */
    ON_FAULT = 4,           /* MCL_ONFAULT, Linux 4.4 */
    PAGE = 4096,
};
enum way { /* call->extra, below the flags that the program gave */
    WAY_PLAIN,
    WAY_WITHOUT_SESSION,
    WAY_ONE_BY_ONE,
    FLAGS_SHIFT = 8,
};

static long raw(long number, long a, long b, long c)
{
    return machine_syscall(number, a, b, c, 0, 0, 0);
}

static const char *read_hex(const char *at, uint64_t *out)
{
    for (*out = 0;; at++) {
        if (*at >= '0' && *at <= '9')
            *out = *out << 4 | (uint64_t)(*at - '0');
        else if (*at >= 'a' && *at <= 'f')
            *out = *out << 4 | (uint64_t)(*at - 'a' + 10);
        else
            return at;
    }
}

static void lock_one(uint64_t low, uint64_t high, long flags)
{
    if (high > low)
        raw(SYS_mlock2, (long)low, (long)(high - low),
            flags & ON_FAULT ? 1 : 0);
}

/* A mapping without our large pieces, which may have merged with it. What
 * cannot be locked (vvar, no access) is not: as with mlockall(). */
static void lock_mapping(uint64_t low, uint64_t high, long flags)
{
    uint64_t ours, end;
    while (low < high && own_next_large(low, &ours, &end) && ours < high) {
        lock_one(low, ours, flags);
        lane_assert(end > low && ours < end);
        low = end;
    }
    lock_one(low, high, flags);
}

static void lock_lines(const char *at, const char *end, long flags)
{
    lane_assert(at <= end);
    while (at < end) {
        uint64_t low, high;
        at = read_hex(at, &low);
        at = read_hex(at + (*at == '-'), &high);
        lock_mapping(low, high, flags);
        while (at < end && *at++ != '\n')
            ;
    }
}

static void lock_mappings(long flags)
{
    char lines[MAPS_BYTES];
    size_t kept = 0;
    long got, fd = raw(SYS_openat, AT_FDCWD, (long)"/proc/self/maps",
                       O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (got = raw(SYS_read, fd, (long)(lines + kept),
                                 (long)(sizeof(lines) - kept))) > 0) {
        size_t len = kept + (size_t)got, whole = len;
        while (whole > 0 && lines[whole - 1] != '\n')
            whole--;
        lock_lines(lines, lines + whole, flags);
        lane_assert(len <= sizeof lines && whole <= len);
        kept = len - whole;
        for (size_t i = 0; i < kept; i++)
            lines[i] = lines[whole + i];
    }
    if (fd >= 0)
        raw(SYS_close, fd, 0, 0);
}

static long lock_rest(long flags, long way)
{
    lane_assert(way == WAY_WITHOUT_SESSION || way == WAY_ONE_BY_ONE);
    if (way == WAY_ONE_BY_ONE && !(flags & MCL_FUTURE))
        raw(SYS_munlockall, 0, 0, 0);
    lock_mappings(flags);
    raw(SYS_munlock, (long)runtime.map.base, (long)runtime.map.len_bytes, 0);
    if (flags & MCL_FUTURE) /* alone: of what comes */
        raw(SYS_mlockall, flags & (MCL_FUTURE | ON_FAULT), 0, 0);
    return 0;
}

/* Bytes of address space; 0: not known. */
static uint64_t address_space_bytes(void)
{
    char line[32];
    uint64_t pages = 0;
    long fd = raw(SYS_openat, AT_FDCWD, (long)"/proc/self/statm",
                  O_RDONLY | O_CLOEXEC);
    long got = fd >= 0 ? raw(SYS_read, fd, (long)line, sizeof(line)) : 0;
    if (fd >= 0)
        raw(SYS_close, fd, 0, 0);
    for (long i = 0; i < got && line[i] >= '0' && line[i] <= '9'; i++)
        pages = pages * 10 + (uint64_t)(line[i] - '0');
    return pages * PAGE;
}

static bool may_lock_all(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};
    return raw(SYS_capget, (long)&header, (long)data, 0) == 0 &&
           (data[0].effective & 1u << CAP_IPC_LOCK) != 0;
}

/* The kernel would refuse it, and only because of what is ours. */
static bool is_refused_for_us(void)
{
    struct rlimit limit;
    uint64_t low, high, ours = 0, all = address_space_bytes();
    if (machine_syscall(SYS_prlimit64, 0, RLIMIT_MEMLOCK, 0, (long)&limit, 0,
                        0) != 0 ||
        all <= limit.rlim_cur || may_lock_all())
        return false;
    for (uint64_t at = 0; own_next_large(at, &low, &high); at = high)
        ours += high - low;
    return all - ours <= limit.rlim_cur;
}

static void enter_mlockall(struct shim_call *call)
{
    uint64_t flags = call->args.rdi;
    call->extra = WAY_PLAIN;
    if (runtime.map.session == NULL || sandboxed || !(flags & MCL_CURRENT) ||
        process_is_guest())
        return;
    if (is_refused_for_us()) {
        call->extra = WAY_ONE_BY_ONE | flags << FLAGS_SHIFT;
        call->args.rdi = MCL_FUTURE;
    } else if (!(flags & ON_FAULT)) {
        call->extra = WAY_WITHOUT_SESSION | flags << FLAGS_SHIFT;
        call->args.rdi |= ON_FAULT;
    }
    call->flags |= SHIM_CALL_ARGS;
}

static void leave_mlockall(struct shim_call *call, const struct shim_regs *regs)
{
    lane_assert((call->extra & ((1u << FLAGS_SHIFT) - 1)) <= WAY_ONE_BY_ONE);
    uint64_t way = call->extra & ((1u << FLAGS_SHIFT) - 1);
    if (way != WAY_PLAIN && (int32_t)regs->rax == 0)
        shim_call_slow(lock_rest, (long)(call->extra >> FLAGS_SHIFT),
                       (long)way);
}

void memory_lock_watch(void)
{
    (void)bind_internal("mlockall", enter_mlockall, leave_mlockall);
}
