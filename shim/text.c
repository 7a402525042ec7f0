/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing text of the running process.
 *
 * Through /proc/self/mem: the kernel copies the page on write and leaves it
 * r-x, so no page is ever writable and executable, nothing changes in
 * /proc/self/maps, and nobody who executes the page meanwhile faults. Where
 * that file is refused (a process that gave up root may not open it), mprotect
 * is the second choice, but only for pages in which no thread stands, and never
 * for one that this code itself needs: callers leave libc, the loader and
 * ourselves alone then.
 */
#include "shim/shim.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    PAGE = 4096
};

static int mem_fd = -1;
static bool (*is_protect_allowed)(uint64_t low, uint64_t high);

int shim_text_open(bool (*may_protect)(uint64_t low, uint64_t high))
{
    is_protect_allowed = may_protect;
    mem_fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    if (mem_fd >= 0 || may_protect)
        return 0;
    return -errno;
}

void shim_text_close(void)
{
    if (mem_fd >= 0)
        close(mem_fd);
    mem_fd = -1;
    is_protect_allowed = NULL;
}

static int write_file(uint64_t at, const void *bytes, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = pwrite(mem_fd, (const char *)bytes + done, len - done,
                           (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        done += (size_t)n;
    }
    return 0;
}

/* mprotect() of libc lies in a page that may not lose its execute right, and
 * so does everything that runs between the two calls. */
static bool is_in_use(uint64_t low, uint64_t high)
{
    const uint64_t used[] = {(uint64_t)&shim_write_text, (uint64_t)&mprotect,
                             (uint64_t)&memcpy};
    for (size_t i = 0; i < sizeof(used) / sizeof(*used); i++) {
        if (used[i] + PAGE > low && used[i] < high + PAGE)
            return true;
    }
    return false;
}

static int write_protected(uint64_t at, const void *bytes, size_t len)
{
    uint64_t low = at & ~(uint64_t)(PAGE - 1);
    uint64_t high = (at + len + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    if (is_in_use(low, high) || !is_protect_allowed(low, high))
        return -EBUSY;
    if (mprotect((void *)low, high - low, PROT_READ | PROT_WRITE) != 0)
        return -errno;
    memcpy((void *)at, bytes, len);
    if (mprotect((void *)low, high - low, PROT_READ | PROT_EXEC) != 0)
        return -errno;
    return 0;
}

int shim_write_text(uint64_t at, const void *bytes, size_t len_bytes)
{
    int err = mem_fd >= 0 ? write_file(at, bytes, len_bytes) : -EACCES;
    if (err && is_protect_allowed)
        err = write_protected(at, bytes, len_bytes);
    return err;
}
