/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of a session, made real before they are used. The file is sparse and
 * tmpfs may be full: storing to a hole would be a SIGBUS in somebody else's
 * program. So the kernel is asked first, by a call that can fail.
 *
 * Runs in the traced process, also in signal handlers: raw syscalls, no errno.
 */
#define _GNU_SOURCE
#include "lane/writer/session.h"
#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "lane/writer/pages.h"
#include "lane/x86_64/machine.h"
#include "lane/format/assert.h"

enum {
    PAGE = 4096,
    POPULATE_WRITE = 23, /* MADV_POPULATE_WRITE, Linux 5.14 */
    TRIES = 64,
    IOV_MAX_HERE = 64,
};

static int populate(uint64_t from, uint64_t to)
{
    lane_assert(from < to && from % PAGE == 0);
    for (int i = 0; i < TRIES; i++) {
        long rc = machine_syscall(SYS_madvise, (long)from, (long)(to - from),
                                  POPULATE_WRITE, 0, 0, 0);
        if (rc == 0)
            return 0;
        if (rc == -EFAULT || rc == -ENOSPC)
            return -ENOSPC; /* EFAULT: what would have been a SIGBUS */
        if (rc != -EAGAIN && rc != -EINTR)
            return (int)rc;
    }
    return -ENOMEM;
}

/* Without MADV_POPULATE_WRITE: the kernel writes a byte to each page for us
 * and reports a page that it cannot make instead of raising a signal. */
static int write_through_kernel(uint64_t from, uint64_t to)
{
    lane_assert(from < to);
    static const char zero;
    struct iovec local[IOV_MAX_HERE], remote[IOV_MAX_HERE];
    long pid = machine_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
    while (from < to) {
        unsigned long n = 0;
        while (n < IOV_MAX_HERE && from < to) {
            local[n] = (struct iovec){(void *)(uintptr_t)&zero, 1};
            remote[n] = (struct iovec){(void *)(uintptr_t)from, 1};
            from = (from | (PAGE - 1)) + 1;
            n++;
        }
        long rc = machine_syscall(SYS_process_vm_writev, pid, (long)local,
                                  (long)n, (long)remote, (long)n, 0);
        if (rc < 0 && rc != -EFAULT)
            return (int)rc;
        if (rc != (long)n)
            return -ENOSPC;
    }
    return 0;
}

int pages_populate(void *at, uint64_t len_bytes)
{
    lane_assert(at != NULL && len_bytes != 0);
    uint64_t from = (uint64_t)(uintptr_t)at;
    return populate(from, from + len_bytes);
}

int lane_make_real(void *at, uint64_t len_bytes)
{
    return pages_make_real(at, len_bytes, 0, NULL);
}

/* Set once, never cleared. */
static bool is_forbidden;

void lane_forbid_syscalls(void)
{
    __atomic_store_n(&is_forbidden, true, __ATOMIC_RELAXED);
}

int pages_make_real(void *at, uint64_t len_bytes, uint64_t ahead_bytes,
                    uint64_t *end)
{
    lane_assert(at != NULL && len_bytes != 0);
    uint64_t from = (uint64_t)(uintptr_t)at;
    uint64_t first = from & ~(uint64_t)(PAGE - 1);
    uint64_t own = (from + len_bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    uint64_t last =
        (from + len_bytes + ahead_bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    if (__atomic_load_n(&is_forbidden, __ATOMIC_RELAXED))
        return -ENOSPC;
    int rc = populate(first, last);
    if (rc != 0 && last != own) {
        last = own;
        rc = populate(first, last);
        lane_assert(first < own && own <= last);
    }
    if (rc == -EINVAL || rc == -EPERM || rc == -ENOSYS || rc == -EACCES) {
        /* only bytes of our own: neighbours on the page may be in use */
        last = own;
        rc = write_through_kernel(from, from + len_bytes);
    }
    if (rc == 0 && end)
        *end = last;
    return rc;
}
