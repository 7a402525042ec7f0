/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LD_PRELOAD for the sidecar: the Nth write, sync, cut or rename of a file
 * below a folder goes wrong.
 *
 *   FAULT_BELOW=FOLDER  FAULT_AT=N  FAULT_COUNT=M  FAULT_KIND=io|full|kill|half
 *   FAULT_LOG=FILE      a line for each: its name and its file
 *
 * io, full: M of them in a row fail (EIO, ENOSPC); kill: the process dies at
 * it; half: it dies when half of a write is done.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static long seen;

static void note(const char *what, const char *path)
{
    static int log = -1;
    char line[PATH_MAX + 64];
    const char *name = getenv("FAULT_LOG");
    if (name && log < 0)
        log = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int n = snprintf(line, sizeof line, "%s %s\n", what, path);
    if (log >= 0 && n > 0)
        (void)!syscall(SYS_write, log, line, (size_t)n);
}

/* Is it this one's turn? Dies where that is asked for. */
static bool is_wrong(const char *what, const char *path)
{
    const char *below = getenv("FAULT_BELOW"), *kind = getenv("FAULT_KIND");
    const char *at = getenv("FAULT_AT"), *count = getenv("FAULT_COUNT");
    if (!below || strncmp(path, below, strlen(below)) != 0)
        return false;
    note(what, path);
    long n = ++seen, first = at ? strtol(at, NULL, 10) : 0;
    if (first <= 0 || n < first ||
        n >= first + (count ? strtol(count, NULL, 10) : 1))
        return false;
    if (kind && strcmp(kind, "kill") == 0)
        raise(SIGKILL);
    errno = kind && strcmp(kind, "full") == 0 ? ENOSPC : EIO;
    return true;
}

static bool is_half(void)
{
    const char *kind = getenv("FAULT_KIND");
    return kind && strcmp(kind, "half") == 0;
}

static bool is_wrong_fd(const char *what, int fd)
{
    char link[64], path[PATH_MAX];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    errno = before;
    path[n > 0 ? n : 0] = 0;
    return is_wrong(what, path);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at);
ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
    bool wrong = is_wrong_fd("write", fd);
    if (wrong && is_half()) {
        (void)!syscall(SYS_pwrite64, fd, bytes, len / 2, at);
        raise(SIGKILL);
    }
    return wrong ? -1 : syscall(SYS_pwrite64, fd, bytes, len, at);
}
ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return pwrite64(fd, bytes, len, at);
}
ssize_t write(int fd, const void *bytes, size_t len)
{
    return is_wrong_fd("write", fd) ? -1 : syscall(SYS_write, fd, bytes, len);
}
int fsync(int fd)
{
    return is_wrong_fd("sync", fd) ? -1 : (int)syscall(SYS_fsync, fd);
}
int fdatasync(int fd)
{
    return is_wrong_fd("sync", fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}
int ftruncate64(int fd, off_t len);
int ftruncate64(int fd, off_t len)
{
    return is_wrong_fd("cut", fd) ? -1 : (int)syscall(SYS_ftruncate, fd, len);
}
int ftruncate(int fd, off_t len)
{
    return ftruncate64(fd, len);
}
int rename(const char *from, const char *to)
{
    return is_wrong("rename", from) ? -1 : (int)syscall(SYS_rename, from, to);
}
int unlink(const char *path)
{
    return is_wrong("unlink", path) ? -1 : (int)syscall(SYS_unlink, path);
}
/* Of sessions: only told, in which order it comes. */
int unlinkat(int dir, const char *name, int flags)
{
    note("unlinkat", name);
    return (int)syscall(SYS_unlinkat, dir, name, flags);
}
