/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mlockall(): the session is a sparse file of some 200 MB, and to lock it would
 * make every page of it real. So the kernel is told to lock what is there as it
 * is touched (MCL_ONFAULT), and then each mapping but the session's is locked
 * as the program meant it.
 */
#include "preload/memory_lock.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "lane/x86_64/machine.h"
#include "preload/bind.h"
#include "preload/process.h"
#include "preload/sandbox.h"

enum {
    MAPS_BYTES = 48 * 1024, /* at once, on a stack of ours */
    ON_FAULT = 4,           /* MCL_ONFAULT, Linux 4.4 */
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

/* What cannot be locked (vvar, no access) is not: as with mlockall(). */
static void lock_lines(const char *at, const char *end)
{
    uint64_t ours = (uint64_t)runtime.map.base;
    while (at < end) {
        uint64_t low, high;
        at = read_hex(at, &low);
        at = read_hex(at + (*at == '-'), &high);
        if (low - ours >= runtime.map.len_bytes && high > low)
            raw(SYS_mlock, (long)low, (long)(high - low), 0);
        while (at < end && *at++ != '\n')
            ;
    }
}

static long lock_rest(long flags, long unused)
{
    char lines[MAPS_BYTES];
    size_t kept = 0;
    long got, fd = raw(SYS_openat, AT_FDCWD, (long)"/proc/self/maps",
                       O_RDONLY | O_CLOEXEC);
    (void)unused;
    while (fd >= 0 && (got = raw(SYS_read, fd, (long)(lines + kept),
                                 (long)(sizeof(lines) - kept))) > 0) {
        size_t len = kept + (size_t)got, whole = len;
        while (whole > 0 && lines[whole - 1] != '\n')
            whole--;
        lock_lines(lines, lines + whole);
        kept = len - whole;
        for (size_t i = 0; i < kept; i++)
            lines[i] = lines[whole + i];
    }
    if (fd >= 0)
        raw(SYS_close, fd, 0, 0);
    raw(SYS_munlock, (long)runtime.map.base, (long)runtime.map.len_bytes, 0);
    if (flags & MCL_FUTURE) /* alone: of what comes, without MCL_ONFAULT */
        raw(SYS_mlockall, MCL_FUTURE, 0, 0);
    return 0;
}

static void enter_mlockall(struct shim_call *call)
{
    uint64_t flags = call->args.rdi;
    call->extra = 0;
    if (runtime.map.session == NULL || sandboxed || !(flags & MCL_CURRENT) ||
        (flags & ON_FAULT) || process_is_guest())
        return;
    call->args.rdi |= ON_FAULT;
    call->flags |= SHIM_CALL_ARGS;
    call->extra = 1;
}

static void leave_mlockall(struct shim_call *call, const struct shim_regs *regs)
{
    if (call->extra != 0 && (int32_t)regs->rax == 0)
        shim_call_slow(lock_rest, (long)call->args.rdi, 0);
}

void memory_lock_watch(void)
{
    (void)bind_internal("mlockall", enter_mlockall, leave_mlockall);
}
