/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores that runs name: each has a sidecar of its own, known by a byte of
 * DIR/sidecar.lock (lane/format/store_name.h). POSIX locks, so that who asks
 * learns the pid, and no child has them; they go when the process does.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "lane/format/layout.h"
#include "lane/format/store_name.h"
#include "tools/common/paths.h"
#include "tools/sidecar/store/log.h"
#include "tools/sidecar/session/setup.h"
#include "lane/format/assert.h"

enum {
    WAIT_NS = 10000000,
    WAIT_TRIES = 1000,
    OTHERS_MAX = 64,
};

static struct flock byte_of(uint64_t key, short type)
{
    return (struct flock){.l_type = type,
                          .l_whence = SEEK_SET,
                          .l_start = lane_store_lock_at(key),
                          .l_len = 1};
}

static bool lock_store(int lock_fd, uint64_t key, bool wait)
{
    lane_assert(lock_fd >= 0);
    struct flock range = byte_of(key, F_WRLCK);
    for (int i = 0; i < WAIT_TRIES; i++) {
        if (fcntl(lock_fd, F_SETLK, &range) == 0)
            return true;
        if (!wait || (errno != EAGAIN && errno != EACCES))
            return false;
        nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
    }
    return false;
}

bool setup_claim(struct setup_claim *c, bool wait)
{
    if (!(c->is_named ? setup_share(c->lock_fd, wait)
                      : setup_lock(c->dir_fd, c->lock_fd, wait)))
        return false;
    c->has_key = lock_store(c->lock_fd, c->key, wait);
    if (c->has_key || (!c->is_named && c->is_auto))
        return true;
    setup_unlock(c->dir_fd, c->lock_fd);
    return false;
}

void setup_leave(struct setup_claim *c)
{
    struct flock range = byte_of(c->key, F_UNLCK);
    if (c->has_key)
        (void)fcntl(c->lock_fd, F_SETLK, &range);
    c->has_key = false;
    setup_unlock(c->dir_fd, c->lock_fd);
}

static bool is_served(int lock_fd, uint64_t key)
{
    struct flock range = byte_of(key, F_WRLCK);
    return fcntl(lock_fd, F_GETLK, &range) == 0 && range.l_type != F_UNLCK;
}

bool setup_is_served(const struct setup_claim *claim, uint64_t key)
{
    return is_served(claim->lock_fd, key);
}

/* The path in a session of our own user: another one's word is none to make
 * files by. */
static bool read_path(int dir_fd, const char *name, char path[PATHS_MAX])
{
    struct lane_session session;
    struct stat at;
    bool ok = false;
    int fd =
        openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    const struct lane_table *strings = &session.table[LANE_TABLE_STRINGS];
    if (fstat(fd, &at) == 0 && S_ISREG(at.st_mode) && at.st_uid == geteuid() &&
        pread(fd, &session, sizeof session, 0) == (ssize_t)sizeof session &&
        memcmp(session.magic, LANE_MAGIC, sizeof session.magic) == 0 &&
        session.store_bytes > 0 && session.store_bytes < PATHS_MAX &&
        pread(fd, path, session.store_bytes,
              (off_t)(strings->offset + session.store_string)) ==
            (ssize_t)session.store_bytes) {
        path[session.store_bytes] = 0;
        ok = path[0] == '/' && lane_store_key(path) == lane_store_key_of(name);
    }
    close(fd);
    return ok;
}

static void serve(const char *dir, const char *store, bool wait)
{
    char self[PATHS_MAX];
    int status;
    if (paths_self(self, sizeof self) != 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        execl(self, "handspan", "sidecar", "--auto", "--dir", dir, "--store",
              store, wait ? "--once" : NULL, (char *)NULL);
        _exit(127);
    }
    if (pid < 0)
        log_line("no sidecar for the store '%s': %s", store, strerror(errno));
    while (wait && pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
}

void setup_serve_others(const struct setup_claim *claim, const char *dir,
                        bool wait)
{
    uint64_t done[OTHERS_MAX];
    size_t count = 0;
    char path[PATHS_MAX];
    int fd = openat(claim->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d && fd >= 0)
        close(fd);
    for (struct dirent *e; d && count < OTHERS_MAX && (e = readdir(d));) {
        uint64_t key = strncmp(e->d_name, "session-", 8) == 0
                           ? lane_store_key_of(e->d_name)
                           : 0;
        bool is_new =
            key != 0 && key != claim->key && !is_served(claim->lock_fd, key);
        for (size_t i = 0; i < count; i++)
            is_new &= done[i] != key;
        if (!is_new || !read_path(claim->dir_fd, e->d_name, path))
            continue;
        done[count++] = key;
        serve(dir, path, wait);
    }
    if (d)
        closedir(d);
}
