/* SPDX-License-Identifier: Apache-2.0 */
/* A file system whose locks do not hold: every flock() is granted, and every
 * lock of a range. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

int flock(int fd, int operation)
{
    (void)fd;
    (void)operation;
    return 0;
}

static int answer(int fd, int command, void *argument)
{
    return command == F_SETLK
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
