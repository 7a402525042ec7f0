/* SPDX-License-Identifier: Apache-2.0 */
/* See await.h. */
#include "tools/cli/launch/await.h"
#include "lane/reader/reader.h"
#include "tools/cli/launch/origin.h"
#include "tools/cli/launch/sidecar_control.h"
#include "tools/common/paths.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum whose {
    WHOSE_OTHER,
    WHOSE_DEAD,
    WHOSE_ALIVE,
    WHOSE_UNKNOWN, /* being made, or gone meanwhile */
};

bool await_trace_id(char hex[33])
{
    const char *text = getenv("TRACEPARENT");
    if (!text || !origin_is_traceparent(text))
        return false;
    memcpy(hex, text + 3, 32);
    hex[32] = 0;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

void await_init(struct await *await, const char *dir, const char *trace_hex,
                int64_t since_unix_ns)
{
    *await = (struct await){.dir = dir, .since_unix_ns = since_unix_ns};
    for (int i = 0; i < 16; i++)
        (void)sscanf(trace_hex + 2 * i, "%2hhx", &await->trace[i]);
}

void await_free(struct await *await)
{
    tdestroy(await->others, free);
    await->others = NULL;
}

/* One that its parent did not wait for yet is dead. */
static bool is_alive(pid_t pid, uint64_t start_time)
{
    char path[40], text[256];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (process_start_time(pid) != start_time)
        return false;
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[n] = 0;
    const char *state = strrchr(text, ')');
    return state && state[1] && state[2] != 'Z' && state[2] != 'X';
}

static enum whose look_into(const struct await *await,
                            const struct lane_reader *r)
{
    struct lane_context context;
    struct lane_process p;
    if (lane_reader_entry(r, LANE_TABLE_CONTEXTS, 0, &context) < 0 ||
        memcmp(context.trace_id, await->trace, 16) != 0)
        return WHOSE_OTHER;
    for (uint32_t i = 0; i < r->header.process_next; i++)
        if (lane_reader_entry(r, LANE_TABLE_PROCESSES, i, &p) == 0 &&
            p.state == LANE_PROCESS_RUNS && p.pid > 0 &&
            is_alive((pid_t)p.pid, p.start_time))
            return WHOSE_ALIVE;
    return WHOSE_DEAD;
}

static uint64_t unstored(const struct lane_reader *r)
{
    uint64_t bytes = 0;
    struct lane_head lane;
    for (uint32_t i = 0; i < r->header.lane_next; i++)
        if (lane_reader_lane(r, i, &lane) == 0 && lane.position > lane.tail)
            bytes += lane.position - lane.tail;
    return bytes;
}

/* `bytes` grows by what is not stored of one whose processes are dead. */
static enum whose whose(struct await *await, int dir_fd, const char *name,
                        uint64_t *bytes)
{
    struct lane_reader r;
    struct stat at;
    if (tfind(name, &await->others, by_name))
        return WHOSE_OTHER;
    int err = lane_reader_open(&r, dir_fd, name);
    if (err == -ENOENT || err == -EAGAIN)
        return WHOSE_UNKNOWN;
    enum whose is = WHOSE_OTHER;
    if (!err) {
        if (fstat(r.fd, &at) == 0 &&
            at.st_ctim.tv_sec * INT64_C(1000000000) + at.st_ctim.tv_nsec >=
                await->since_unix_ns)
            is = look_into(await, &r);
        *bytes += is == WHOSE_DEAD ? unstored(&r) : 0;
        lane_reader_close(&r);
    }
    char *copy = is == WHOSE_OTHER ? strdup(name) : NULL;
    if (copy && !tsearch(copy, &await->others, by_name))
        free(copy);
    return is;
}

struct await_left await_look(struct await *await)
{
    struct await_left left = {0};
    DIR *d = opendir(await->dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strncmp(e->d_name, "session-", 8) != 0)
            continue;
        enum whose is = whose(await, dirfd(d), e->d_name, &left.bytes);
        left.dead += is == WHOSE_DEAD;
        left.alive += is == WHOSE_ALIVE;
    }
    if (d)
        closedir(d);
    return left;
}

/* ---- how the command ended ---------------------------------------------- */

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
