/* SPDX-License-Identifier: Apache-2.0 */
/* The sidecar from outside; see sidecar_control.h. */
#include "tools/cli/launch/sidecar_control.h"
#include "lane/format/store_name.h"
#include "tools/common/paths.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_locked(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    /* shared, so that two who look do not take each other for a sidecar */
    bool locked = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    close(fd);
    return locked;
}

/* A sidecar holds one of these bytes (lane/format/store_name.h); `bytes` 0: of
 * all. */
static bool has_byte(const char *path, int64_t at, int64_t bytes)
{
    struct flock range = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = bytes};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool is = fcntl(fd, F_GETLK, &range) == 0 && range.l_type != F_UNLCK;
    close(fd);
    return is;
}

/* The directory is what counts; older ones lock only the file. */
bool sidecar_is_running(const char *dir)
{
    char path[PATHS_MAX + 16];
    snprintf(path, sizeof path, "%s/sidecar.lock", dir);
    return is_locked(dir) || is_locked(path) || has_byte(path, 0, 0);
}

bool sidecar_serves(const char *dir, const char *store)
{
    char path[PATHS_MAX + 16];
    snprintf(path, sizeof path, "%s/sidecar.lock", dir);
    return is_locked(path) ||
           has_byte(path, lane_store_lock_at(lane_store_key(store)), 1);
}

static bool read_trouble(const char *dir, const char *name,
                         int64_t since_unix_ns, char *out, size_t cap_bytes)
{
    char path[PATHS_MAX + 16];
    struct stat at;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t n = fstat(fd, &at) == 0 && S_ISREG(at.st_mode)
                    ? read(fd, out, cap_bytes - 1)
                    : -1;
    close(fd);
    out[n > 0 ? n : 0] = 0;
    return n > 0 &&
           at.st_mtim.tv_sec * INT64_C(1000000000) + at.st_mtim.tv_nsec >=
               since_unix_ns;
}

bool sidecar_trouble(const char *dir, int64_t since_unix_ns, char *out,
                     size_t cap_bytes)
{
    return read_trouble(dir, "sidecar.error", since_unix_ns, out, cap_bytes);
}

bool sidecar_spool_trouble(const char *dir, char *out, size_t cap_bytes)
{
    return read_trouble(dir, "spool.error", 0, out, cap_bytes);
}

/* In the second child: become the sidecar. */
static _Noreturn void become_sidecar(const char *self, const char *store)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDWR);
    if (null >= 0)
        for (int fd = 0; fd < 3; fd++)
            dup2(null, fd);
    close_range(3, ~0U, 0);
    if (chdir("/") == 0)
        execl(self, "handspan", "sidecar", "--auto", "--store", store,
              (char *)NULL);
    _exit(127);
}

int sidecar_spawn(const char *store)
{
    char self[PATHS_MAX];
    int err = paths_self(self, sizeof self);
    if (err)
        return err;
    pid_t first = fork();
    if (first < 0)
        return -errno;
    if (first == 0) {
        setsid();
        unsetenv("LD_PRELOAD");
        pid_t second = fork();
        if (second == 0)
            become_sidecar(self, store);
        _exit(second < 0);
    }
    int status;
    while (waitpid(first, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return status == 0 ? 0 : -EAGAIN;
}

bool session_exists(const char *dir, pid_t pid, uint64_t start_time)
{
    char prefix[64];
    snprintf(prefix, sizeof prefix, "session-%d-%llu-", (int)pid,
             (unsigned long long)start_time);
    DIR *d = opendir(dir);
    bool found = false;
    for (struct dirent *e; d && !found && (e = readdir(d));)
        found = strncmp(e->d_name, prefix, strlen(prefix)) == 0;
    if (d)
        closedir(d);
    return found;
}

uint64_t process_start_time(pid_t pid)
{
    char path[40], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    text[got > 0 ? got : 0] = 0;
    const char *at = strrchr(text, ')'); /* the name may hold anything */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at + 1, NULL, 10) : 0;
}
