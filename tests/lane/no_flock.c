/* SPDX-License-Identifier: Apache-2.0 */
/* A file system whose locks do not hold: every flock() is granted, and every
 * lock of a range. But those of the store do (s.db and what is beside it):
 * without them two writers damage any database of SQLite. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

int flock(int fd, int operation)
{
    (void)fd;
    (void)operation;
    return 0;
}

static int is_of_store(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    const char *name = strrchr(path, '/');
    return name &&
           (strcmp(name, "/s.db") == 0 || strcmp(name, "/s.db-wal") == 0 ||
            strcmp(name, "/s.db-shm") == 0);
}

static int answer(int fd, int command, void *argument)
{
    return command == F_SETLK && !is_of_store(fd)
               ? 0
               : (int)syscall(SYS_fcntl, fd, command, argument);
}

int fcntl(int fd, int command, ...)
{
    va_list args;
    va_start(args, command);
    void *argument = va_arg(args, void *);
    va_end(args);
    return answer(fd, command, argument);
}

int fcntl64(int fd, int command, ...)
{
    va_list args;
    va_start(args, command);
    void *argument = va_arg(args, void *);
    va_end(args);
    return answer(fd, command, argument);
}
