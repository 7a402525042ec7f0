/* SPDX-License-Identifier: Apache-2.0 */
/* See trouble.h. The directory may be full as well: then the log has to do. */
#define _GNU_SOURCE
#include "tools/sidecar/store/trouble.h"
#include "lane/format/assert.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void put(int dir_fd, const char *name, const char *aside,
                const char *text)
{
    lane_assert(text != NULL);
    int fd =
        openat(dir_fd, aside,
               O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return;
    size_t len = strlen(text);
    ssize_t n = write(fd, text, len);
    close(fd);
    if (n != (ssize_t)len || renameat(dir_fd, aside, dir_fd, name) != 0)
        (void)unlinkat(dir_fd, aside, 0);
}

void trouble_set(int dir_fd, const char *text)
{
    put(dir_fd, TROUBLE_FILE, "." TROUBLE_FILE, text);
}

void trouble_set_spool(int dir_fd, const char *text)
{
    if (text)
        put(dir_fd, TROUBLE_SPOOL_FILE, "." TROUBLE_SPOOL_FILE, text);
    else
        (void)unlinkat(dir_fd, TROUBLE_SPOOL_FILE, 0);
}

void trouble_clear(int dir_fd)
{
    (void)unlinkat(dir_fd, TROUBLE_FILE, 0);
}
