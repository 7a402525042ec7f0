/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See memory_share.h. Pages of a session count for the container whose process
 * made them, and a container that reaches its limit is killed; a program that
 * is short of address space or of data runs out of memory.
 */
#include "preload/start/memory_share.h"
#include "preload/settings/config.h"
#include "lane/format/assert.h"
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/vfs.h>

enum {
    PART = 8,
    CGROUP_BYTES = 8192, /* of /proc/self/cgroup */
    NUMBER_BYTES = 64,
};
/* The library, its tables, the decoder: address space, and memory of it. */
static const uint64_t fixed_space = 78 << 16;
static const uint64_t fixed_memory = 1 << 20;

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t part_of(uint64_t limit, uint64_t fixed)
{
    lane_assert(fixed < UINT64_MAX / PART);
    if (limit == UINT64_MAX)
        return UINT64_MAX;
    return limit / PART > fixed ? limit / PART - fixed : 0;
}

static uint64_t limit_of(__rlimit_resource_t what)
{
    struct rlimit limit;
    if (getrlimit(what, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return limit.rlim_cur;
}

static uint64_t free_tmpfs(int fd)
{
    struct statfs at;
    if (fstatfs(fd, &at) != 0 || at.f_type != TMPFS_MAGIC || at.f_blocks == 0)
        return UINT64_MAX; /* 0 blocks: a tmpfs without limit */
    return (uint64_t)at.f_bavail * (uint64_t)at.f_bsize;
}

/* ---- cgroups ------------------------------------------------------------ */

struct hierarchy {
    const char *key; /* between the colons of its line of /proc/self/cgroup */
    const char *mount, *file;
};
static const struct hierarchy hierarchies[] = {
    {"", "/sys/fs/cgroup", "/memory.max"},
    {"memory", "/sys/fs/cgroup/memory", "/memory.limit_in_bytes"},
};

/* "max", or more than anybody has: no limit. */
static uint64_t read_limit(const char *path)
{
    char number[NUMBER_BYTES];
    const char *at = number;
    uint64_t limit;
    if (config_read_file(path, number, sizeof(number)) <= 0 ||
        !text_read_number(&at, &limit))
        return UINT64_MAX;
    return limit < UINT64_MAX / 4 ? limit : UINT64_MAX;
}

/* The smallest limit from `path` on up to the root that is mounted. */
static uint64_t limit_above(const struct hierarchy *of, const char *path,
                            size_t len)
{
    lane_assert(of->mount[0] == '/' && of->file[0] == '/');
    char file[PATH_MAX];
    uint64_t least = UINT64_MAX;
    while (len > 0 && path[len - 1] == '/')
        len--;
    for (;;) {
        struct text text = {file, 0, sizeof(file)};
        text_put(&text, of->mount);
        text_put_bytes(&text, path, len);
        text_put(&text, of->file);
        if (text_fits(&text))
            least = smaller(least, read_limit(file));
        if (len == 0)
            return least;
        while (len > 0 && path[--len] != '/')
            ;
    }
}

/* Lines "number:controllers:path". */
static uint64_t cgroup_limit(void)
{
    char lines[CGROUP_BYTES];
    uint64_t least = UINT64_MAX;
    if (config_read_file("/proc/self/cgroup", lines, sizeof(lines)) <= 0)
        return UINT64_MAX;
    for (const char *line = lines; *line;) {
        const char *key = strchr(line, ':');
        const char *path = key ? strchr(++key, ':') : NULL;
        if (!path)
            break;
        size_t key_len = (size_t)(path++ - key);
        size_t len = 0;
        while (path[len] && path[len] != '\n')
            len++;
        for (size_t i = 0; i < sizeof(hierarchies) / sizeof(*hierarchies); i++)
            if (strlen(hierarchies[i].key) == key_len &&
                strncmp(hierarchies[i].key, key, key_len) == 0)
                least = smaller(least, limit_above(&hierarchies[i], path, len));
        line = path + len + (path[len] == '\n');
    }
    return least;
}

uint64_t memory_share(int dir_fd)
{
    uint64_t share = part_of(limit_of(RLIMIT_AS), fixed_space);
    share = smaller(share, part_of(limit_of(RLIMIT_DATA), fixed_memory));
    share = smaller(share, part_of(cgroup_limit(), fixed_memory));
    return smaller(share, part_of(free_tmpfs(dir_fd), 0));
}
