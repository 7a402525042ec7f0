/* SPDX-License-Identifier: Apache-2.0 */
/* See setup.h. */
#define _GNU_SOURCE
#include "tools/sidecar/session/setup.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include "lane/writer/session.h"
#include "tools/common/config.h"
#include "tools/common/confine.h"
#include "tools/sidecar/store/log.h"
#include "tools/sidecar/session/spool.h"
#include "lane/format/assert.h"

enum {
    LOCK_SHARED_NS = 50000, /* somebody only looks */
    LOCK_WAIT_NS = 10000000,
    LOCK_TRIES = 1000,
};

static void pause_ns(int64_t ns)
{
    lane_assert(ns >= 0);
    struct timespec t = {ns / 1000000000, ns % 1000000000};
    nanosleep(&t, NULL);
}

void setup_standard_streams(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd < 2);
    if (fd > 2)
        close(fd);
}

/* A session's tables are large and almost empty. glibc raises the size from
 * which it maps (zero pages, given back) after the first free(): 15 MB of
 * cleared memory a session then, 1.4 GB when 50 programs died at once. */
void setup_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, 128 << 10);
}

/* A directory that a group shares: what lies in it, too. */
mode_t setup_file_mode(int dir_fd)
{
    struct stat at;
    if (dir_fd < 0 || fstat(dir_fd, &at) != 0)
        return 0600;
    return (at.st_mode & (S_ISGID | S_IWGRP)) == (S_ISGID | S_IWGRP) ? 0660
                                                                     : 0600;
}

int setup_files(int dir_fd, const char *dir, const char *log_option,
                bool is_typed)
{
    mode_t mode = setup_file_mode(dir_fd);
    mode_t mask = umask(0);
    log_open(dir_fd, log_option, mode, is_typed);
    int fd =
        openat(dir_fd, "sidecar.lock",
               O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode);
    int error = errno;
    umask(mask);
    if (fd < 0)
        log_line("cannot open '%s/sidecar.lock': %s", dir, strerror(error));
    return fd;
}

/* Those who only want to know whether there is a sidecar hold the lock shared,
 * for a moment; another sidecar holds it alone. */
static bool take_lock(int lock_fd, bool wait)
{
    lane_assert(lock_fd >= 0);
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(lock_fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        bool is_shared = flock(lock_fd, LOCK_SH | LOCK_NB) == 0;
        if (is_shared)
            (void)flock(lock_fd, LOCK_UN);
        if (!is_shared && !wait)
            return false;
        pause_ns(is_shared ? LOCK_SHARED_NS : LOCK_WAIT_NS);
    }
    return false;
}

bool setup_share(int lock_fd, bool wait)
{
    lane_assert(lock_fd >= 0);
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(lock_fd, LOCK_SH | LOCK_NB) == 0)
            return true;
        if (!wait)
            return false;
        pause_ns(LOCK_WAIT_NS);
    }
    return false;
}

bool setup_lock(int dir_fd, int lock_fd, bool wait)
{
    if (!take_lock(dir_fd, wait))
        return false;
    if (setup_share(lock_fd, wait))
        return true;
    (void)flock(dir_fd, LOCK_UN);
    return false;
}

void setup_unlock(int dir_fd, int lock_fd)
{
    lane_assert(dir_fd >= 0 && lock_fd >= 0);
    (void)flock(lock_fd, LOCK_UN);
    (void)flock(dir_fd, LOCK_UN);
}

bool setup_maker_lives(const char *name)
{
    lane_assert(strncmp(name, "session-", 8) == 0);
    char *end;
    long pid = strtol(name + strlen("session-"), &end, 10);
    return *end == '-' && pid > 0 && pid <= INT32_MAX &&
           (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

bool setup_maker_is_dead(const char *name)
{
    lane_assert(strncmp(name, "session-", 8) == 0);
    long pid = strtol(name + strlen("session-"), NULL, 10);
    return pid > 0 && pid <= INT32_MAX && kill((pid_t)pid, 0) != 0 &&
           errno == ESRCH;
}

bool setup_is_durable(int dir_fd)
{
    lane_assert(dir_fd >= 0);
    struct statfs at;
    return fstatfs(dir_fd, &at) != 0 ||
           (at.f_type != TMPFS_MAGIC && at.f_type != RAMFS_MAGIC);
}

bool setup_boot_is_ours(const uint8_t boot_id[16])
{
    uint8_t ours[16];
    lane_boot_id(ours);
    return memcmp(ours, boot_id, sizeof ours) == 0;
}

void setup_confine(void)
{
    int rc = confine(CONFINE_SIDECAR, NULL);
    if (rc != 0)
        log_line("the sidecar runs without a seccomp filter: %s",
                 strerror(-rc));
}

void setup_spool(const char *store_path, const char *dir, int dir_fd)
{
    int64_t bytes = 0;
    const char *said = config_get(CONFIG_SPOOL_SIZE);
    if (config_parse_size(said, &bytes) != 0)
        log_line("spool_size '%s' means nothing: there is no spool", said);
    const char *leave = config_get(CONFIG_SPOOL_FREE);
    int64_t ignored;
    if (config_parse_room(leave, 0, &ignored) != 0) {
        log_line("spool_free '%s' means nothing: there is no spool", leave);
        bytes = 0;
    }
    spool_setup(store_path, dir, dir_fd, bytes, leave);
}

void setup_signals(void (*on_stop)(int))
{
    struct sigaction action = {.sa_handler = on_stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGIO, SIG_IGN); /* somebody opens a file while we hold its lease */
    signal(SIGXFSZ, SIG_IGN); /* a limited file is an error code */
}
