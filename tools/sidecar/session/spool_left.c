/* SPDX-License-Identifier: Apache-2.0 */
/* Spools of sessions that are gone: the machine was restarted, or somebody
 * removed the session's file. They hold values, so they do not stay. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "tools/sidecar/session/spool_internal.h"

enum {
    YOUNG_S = 10, /* another sidecar may just be making it */
};

/* Somebody reads it: it is the lock of a sidecar. */
static bool is_locked(int fd)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_GETLK, &all) == 0 && all.l_type != F_UNLCK;
}

static bool session_is_there(const struct spool_head *head)
{
    char path[sizeof head->dir + sizeof head->name + 2];
    snprintf(path, sizeof path, "%.*s/%.*s", (int)sizeof head->dir - 1,
             head->dir, (int)sizeof head->name - 1, head->name);
    return access(path, F_OK) == 0 || errno != ENOENT;
}

static bool is_left(int fd)
{
    struct spool_head head;
    struct stat at;
    if (fstat(fd, &at) != 0 || !S_ISREG(at.st_mode) || at.st_uid != geteuid() ||
        is_locked(fd))
        return false;
    if (at.st_size == 0) /* its maker was killed, or is at it */
        return time(NULL) - at.st_mtime > YOUNG_S;
    if (pread(fd, &head, sizeof head, 0) != (ssize_t)sizeof head ||
        memcmp(head.magic, SPOOL_MAGIC, sizeof head.magic) != 0)
        return false; /* not ours */
    return memcmp(head.boot_id, spool_setting.boot_id, sizeof head.boot_id) !=
               0 ||
           !session_is_there(&head);
}

void spool_left_remove(void)
{
    char folder[PATHS_MAX], file[PATHS_MAX];
    snprintf(folder, sizeof folder, "%s", spool_setting.store);
    snprintf(file, sizeof file, "%s", spool_setting.store);
    const char *name = basename(file);
    size_t len = strlen(name);
    DIR *dir = opendir(dirname(folder));
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (strncmp(e->d_name, name, len) != 0 ||
            strncmp(e->d_name + len, SPOOL_INFIX, strlen(SPOOL_INFIX)) != 0)
            continue;
        int fd = openat(dirfd(dir), e->d_name,
                        O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
        if (fd >= 0 && is_left(fd))
            (void)unlinkat(dirfd(dir), e->d_name, 0);
        if (fd >= 0)
            close(fd);
    }
    if (dir)
        closedir(dir);
}
