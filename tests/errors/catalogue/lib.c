/* SPDX-License-Identifier: Apache-2.0 */
/* Failures in a library, and (as plugin.so) in one opened at run time. */
#include <fcntl.h>
#include <unistd.h>

__attribute__((noinline)) static int innermost(const char *path, int *to)
{
    int fd = to ? -1 : open(path, O_RDONLY); /* @lib_open */
    if (to)
        *to = 1; /* @lib_segv */
    __asm__ volatile(""); /* no tail call of open() */
    return fd;
}

__attribute__((noinline, visibility("default"))) int
LIB_CALL(const char *path, int *to)
{
    int result = innermost(path, to); /* @lib_call */
    __asm__ volatile("");
    return result;
}
