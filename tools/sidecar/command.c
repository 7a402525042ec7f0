/* SPDX-License-Identifier: Apache-2.0 */
/* See command.h. */
#include "tools/sidecar/command.h"
#include "lane/format/assert.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    WAITS_S = 60, /* for its trace; then nothing of it was traced */
};

static bool parse_id(const char *name, uint8_t id[16])
{
    lane_assert(name != NULL);
    const char *hex = name + sizeof COMMAND_PREFIX - 1;
    if (strlen(hex) != 32 || strspn(hex, "0123456789abcdef") != 32)
        return false;
    for (int i = 0; i < 16; i++)
        if (sscanf(hex + 2 * i, "%2hhx", &id[i]) != 1)
            return false;
    return true;
}

/* 1: read; 0: it is none, or too old. */
static int read_one(int dir_fd, const char *name, int64_t *status,
                    int64_t *end_unix_ns)
{
    char text[128];
    struct stat at;
    int fd =
        openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return 0;
    bool is_young = fstat(fd, &at) == 0 && S_ISREG(at.st_mode) &&
                    time(NULL) - at.st_mtime <= WAITS_S;
    ssize_t n = is_young ? read(fd, text, sizeof text - 1) : 0;
    close(fd);
    text[n > 0 ? n : 0] = 0;
    return sscanf(text, "status %" SCNd64 "\nend_unix_ns %" SCNd64, status,
                  end_unix_ns) == 2;
}

static int store_one(struct store *store, const uint8_t id[16], int64_t status,
                     int64_t end_unix_ns)
{
    int64_t trace = 0;
    int rc = store_begin(store);
    if (rc == 0)
        rc = store_run(store, STORE_TRACE_COMMAND, "bii", (const void *)id,
                       (size_t)16, status, end_unix_ns);
    int changed = rc;
    if (rc > 0)
        rc = store_start(store, STORE_TRACE_FIND, "b", (const void *)id,
                         (size_t)16);
    while (changed > 0 && rc > 0) {
        trace = store_int(store, STORE_TRACE_FIND, 0);
        rc = store_next(store, STORE_TRACE_FIND);
    }
    if (rc == 0 && trace)
        rc = store_run(store, STORE_TRACE_PROCESS, "i", trace);
    if (rc >= 0)
        rc = store_commit(store);
    if (rc < 0)
        store_rollback(store);
    return rc < 0 ? rc : changed;
}

static int take_one(struct store *store, int dir_fd, const char *name)
{
    uint8_t id[16];
    int64_t status = 0, end_unix_ns = 0;
    int rc = 1;
    if (parse_id(name, id) && read_one(dir_fd, name, &status, &end_unix_ns))
        rc = store_one(store, id, status, end_unix_ns);
    if (rc > 0)
        (void)unlinkat(dir_fd, name, 0);
    return rc;
}

int command_take(struct store *store, int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int waiting = 0, rc = 0;
    if (!dir) {
        rc = -errno;
        if (fd >= 0)
            close(fd);
        return rc;
    }
    for (struct dirent *e; rc >= 0 && (e = readdir(dir));) {
        if (strncmp(e->d_name, COMMAND_PREFIX, sizeof COMMAND_PREFIX - 1) != 0)
            continue;
        rc = take_one(store, dir_fd, e->d_name);
        waiting += rc == 0;
    }
    closedir(dir);
    return rc < 0 ? rc : waiting;
}
