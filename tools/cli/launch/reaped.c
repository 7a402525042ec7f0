/* SPDX-License-Identifier: Apache-2.0 */
/* See reaped.h. */
#include "tools/cli/launch/reaped.h"
#include "tools/common/paths.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static void certificate_path(const char *dir, const struct child *c,
                             const char *prefix, char *out, size_t cap_bytes)
{
    snprintf(out, cap_bytes, "%s/%sreaped-%d-%" PRIu64, dir, prefix,
             (int)c->pid, c->start_time);
}

static void command_path(const char *dir, const char *trace, const char *prefix,
                         char *out, size_t cap_bytes)
{
    snprintf(out, cap_bytes, "%s/%scommand-%s", dir, prefix, trace);
}

static FILE *begin(const char *aside)
{
    int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? NULL : fdopen(fd, "w");
}

static void publish(FILE *out, const char *aside, const char *path)
{
    if (fclose(out) != 0 || rename(aside, path) != 0)
        unlink(aside);
}

void reaped_write(const char *dir, const struct child *c)
{
    char path[PATHS_MAX + 64], aside[PATHS_MAX + 64];
    certificate_path(dir, c, "", path, sizeof path);
    certificate_path(dir, c, ".", aside, sizeof aside);
    FILE *out = begin(aside);
    if (!out)
        return;
    const struct rusage *u = &c->usage;
    int64_t cpu_us =
        (u->ru_utime.tv_sec + u->ru_stime.tv_sec) * INT64_C(1000000) +
        u->ru_utime.tv_usec + u->ru_stime.tv_usec;
    fprintf(out,
            "status %d\ncpu_ns %" PRId64 "\npeak_bytes %" PRId64
            "\nend_unix_ns %" PRId64 "\nend_ticks %" PRIu64
            "\nend_monotonic_ns %" PRId64 "\n",
            c->wait_status, cpu_us * 1000, (int64_t)u->ru_maxrss * 1024,
            c->end_unix_ns, c->end_ticks, c->end_monotonic_ns);
    publish(out, aside, path);
}

void reaped_remove(const char *dir, const struct child *c)
{
    char path[PATHS_MAX + 64];
    certificate_path(dir, c, "", path, sizeof path);
    unlink(path);
}

void reaped_write_command(const char *dir, const char *trace,
                          const struct child *c)
{
    char path[PATHS_MAX + 64], aside[PATHS_MAX + 64];
    command_path(dir, trace, "", path, sizeof path);
    command_path(dir, trace, ".", aside, sizeof aside);
    FILE *out = begin(aside);
    if (!out)
        return;
    fprintf(out, "status %d\nend_unix_ns %" PRId64 "\n", c->wait_status,
            c->end_unix_ns);
    publish(out, aside, path);
}

bool reaped_is_command_taken(const char *dir, const char *trace)
{
    char path[PATHS_MAX + 64];
    command_path(dir, trace, "", path, sizeof path);
    return access(path, F_OK) != 0 && errno == ENOENT;
}
