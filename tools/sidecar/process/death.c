/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How processes end: see death.h. Sources, best first: the reaper's file, the
 * exit code of a zombie in /proc, PIDFD_GET_INFO (Linux 6.15 tells the exit
 * code of a reaped process to those who held a pidfd).
 */
#define _GNU_SOURCE
#include "tools/sidecar/process/death.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "lane/x86_64/machine.h"
#include "lane/format/assert.h"

/* linux/pidfd.h of 6.15; the headers of Debian 12 are older. */
struct pidfd_info_v1 {
    uint64_t mask, cgroup;
    uint32_t pid, tgid, ppid;
    uint32_t ids[8];
    int32_t exit_code;
    uint32_t coredump_mask, pad;
};
_Static_assert(sizeof(struct pidfd_info_v1) == 72, "kernel interface");
enum {
    INFO_EXIT = 1 << 3, /* PIDFD_INFO_EXIT */
    FIELD_STATE = 3,
    FIELD_UTIME = 14,
    FIELD_STIME = 15,
    FIELD_START = 22,
    FIELD_EXIT_CODE = 52,
};
#define GET_INFO                                                               \
    _IOC(_IOC_READ | _IOC_WRITE, 0xff, 11, sizeof(struct pidfd_info_v1))

static bool read_text(const char *path, char *out, size_t cap_bytes)
{
    lane_assert(cap_bytes != 0);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, out, cap_bytes - 1);
    close(fd);
    out[n > 0 ? n : 0] = 0;
    return n > 0;
}

/* Field of /proc/PID/stat by its number in proc(5); from 3 on. */
static const char *stat_field(const char *text, int field)
{
    lane_assert(field > 2);
    const char *at = strrchr(text, ')'); /* the name may hold anything */
    for (int i = 2; at && i < field; i++)
        at = strchr(at + 1, ' ');
    return at ? at + 1 : NULL;
}

static bool stat_read(int32_t pid, char *text, size_t cap_bytes)
{
    lane_assert(pid > 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    return read_text(path, text, cap_bytes);
}

static uint64_t stat_number(const char *text, int field)
{
    const char *at = stat_field(text, field);
    return at ? strtoull(at, NULL, 10) : 0;
}

static bool is_same(const struct death *death, const char *stat)
{
    /* 0: it could not read its own (no /proc there, no descriptor) */
    return death->start_time == 0 ||
           stat_number(stat, FIELD_START) == death->start_time;
}

static uint64_t namespace_of(const char *pid)
{
    char path[320];
    struct stat at;
    snprintf(path, sizeof path, "/proc/%s/ns/pid", pid);
    return stat(path, &at) == 0 ? at.st_ino : 0;
}

/* The process's number within its own namespace. */
static uint32_t inner_pid(const char *pid)
{
    char path[320], text[4096];
    snprintf(path, sizeof path, "/proc/%s/status", pid);
    if (!read_text(path, text, sizeof text))
        return 0;
    const char *line = strstr(text, "\nNSpid:");
    if (!line)
        return 0;
    const char *end = strchr(line + 1, '\n');
    while (end && end > line && end[-1] != '\t' && end[-1] != ' ')
        end--;
    return end ? (uint32_t)strtoul(end, NULL, 10) : 0;
}

/* Our number of a process of another namespace; 0: not to be seen. */
static int32_t find_in_namespace(uint32_t pid, uint64_t pid_namespace)
{
    lane_assert(pid_namespace != 0);
    DIR *proc = opendir("/proc");
    int32_t found = 0;
    struct dirent *entry;
    while (proc && !found && (entry = readdir(proc))) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        if (namespace_of(entry->d_name) == pid_namespace &&
            inner_pid(entry->d_name) == pid)
            found = (int32_t)strtol(entry->d_name, NULL, 10);
    }
    if (proc)
        closedir(proc);
    return found;
}

/* ---- the moment --------------------------------------------------------- */

static int waiting = -1; /* epoll over the pidfds */

static struct death_moment moment_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (struct death_moment){
        .tsc = machine_ticks(),
        .monotonic_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec,
    };
}

/* 0: its monotonic clock is not ours. */
static uint64_t ticks_of(const struct death_moment *moment,
                         const struct lane_session *header)
{
    static uint64_t ours;
    struct stat at;
    if (header->clock == LANE_CLOCK_TSC)
        return moment->tsc;
    if (!ours)
        ours = stat("/proc/self/ns/time", &at) == 0 ? at.st_ino : 1;
    return header->time_namespace == ours || header->time_namespace == 0
               ? moment->monotonic_ns
               : 0;
}

static void await(struct death *death)
{
    lane_assert(death->pidfd >= 0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = death};
    if (waiting < 0)
        waiting = epoll_create1(EPOLL_CLOEXEC);
    death->is_awaited = waiting >= 0 && epoll_ctl(waiting, EPOLL_CTL_ADD,
                                                  death->pidfd, &event) == 0;
}

static void await_no_more(struct death *death)
{
    lane_assert(!death->is_awaited || waiting >= 0);
    /* by hand: children of ours may hold the descriptor, too */
    if (death->is_awaited)
        (void)epoll_ctl(waiting, EPOLL_CTL_DEL, death->pidfd, NULL);
    death->is_awaited = false;
}

int death_wait_fd(void)
{
    return waiting;
}

void death_gather(void)
{
    struct epoll_event event[64];
    int n = waiting < 0 ? 0 : epoll_wait(waiting, event, 64, 0);
    struct death_moment now = moment_now();
    for (int i = 0; i < n; i++) {
        struct death *death = event[i].data.ptr;
        death->noticed = now;
        await_no_more(death);
    }
}

static void not_later_than(struct death *death, uint64_t ticks)
{
    if (ticks && (!death->end_ticks || ticks < death->end_ticks))
        death->end_ticks = ticks;
}

void death_watch(struct death *death, uint32_t pid, uint64_t start_time,
                 uint64_t pid_namespace)
{
    *death = (struct death){.pidfd = -1, .start_time = start_time};
    uint64_t ours = namespace_of("self");
    bool foreign = pid_namespace && ours && pid_namespace != ours;
    death->pid = foreign ? find_in_namespace(pid, pid_namespace) : (int32_t)pid;
    if (death->pid <= 0) {
        death->state = DEATH_UNSEEN;
        return;
    }
    char text[1024];
    death->pidfd = (int)syscall(SYS_pidfd_open, death->pid, 0);
    /* the stat after the open: then the pidfd is that process's */
    if (!stat_read(death->pid, text, sizeof text) || !is_same(death, text)) {
        death_close(death);
        death->state = DEATH_DEAD;
    }
    if (death->pidfd >= 0)
        await(death);
}

static void status_set(struct death *death, int status, const char *source)
{
    lane_assert(source != NULL);
    death->has_status = true;
    death->status = status;
    death->source = source;
}

static bool line_number(const char *text, const char *key, int64_t *out)
{
    const char *at = strstr(text, key);
    char *end;
    if (!at)
        return false;
    at += strlen(key);
    *out = strtoll(at, &end, 10);
    return end != at && *end == '\n';
}

/* "reaped-PID-STARTTIME": lines "status N" (as of waitpid), "cpu_ns N",
 * "peak_bytes N", and when it ended: "end_ticks N" (of the TSC),
 * "end_monotonic_ns N". Written by `handspan run`, renamed when it is whole. */
static bool ask_reaper(struct death *death, int dir_fd, uint32_t pid,
                       uint32_t clock)
{
    lane_assert(dir_fd >= 0);
    char name[64], text[512];
    snprintf(name, sizeof name, "reaped-%u-%llu", pid,
             (unsigned long long)death->start_time);
    int fd =
        openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    int64_t status, cpu, peak, end;
    if (!line_number(text, "status ", &status))
        return false;
    status_set(death, (int)status, "reaper");
    if (line_number(text, "\ncpu_ns ", &cpu) && cpu > 0)
        death->cpu_ns = (uint64_t)cpu;
    if (line_number(text, "\npeak_bytes ", &peak) && peak > 0)
        death->peak_bytes = (uint64_t)peak;
    if (line_number(text,
                    clock == LANE_CLOCK_TSC ? "\nend_ticks "
                                            : "\nend_monotonic_ns ",
                    &end) &&
        end > 0) {
        death->end_ticks = (uint64_t)end;
        death->is_exact = true;
    }
    return true;
}

/* Others' exit codes read as 0. */
static bool may_see(int32_t pid)
{
    char path[64];
    struct stat at;
    snprintf(path, sizeof path, "/proc/%d", pid);
    return geteuid() == 0 || (stat(path, &at) == 0 && at.st_uid == geteuid());
}

static void ask_kernel(struct death *death)
{
    lane_assert(death->state == DEATH_DEAD && death->pid > 0);
    char text[1024];
    if (stat_read(death->pid, text, sizeof text) && is_same(death, text)) {
        const char *state = stat_field(text, FIELD_STATE);
        if (state && (*state == 'Z' || *state == 'X') && may_see(death->pid)) {
            uint64_t code = stat_number(text, FIELD_EXIT_CODE);
            status_set(death, (int)code, "pidfd");
            return;
        }
    }
    struct pidfd_info_v1 info = {.mask = INFO_EXIT};
    if (death->pidfd >= 0 && ioctl(death->pidfd, GET_INFO, &info) == 0 &&
        (info.mask & INFO_EXIT))
        status_set(death, info.exit_code, "pidfd");
}

static bool has_ended(const struct death *death)
{
    lane_assert(death->pid > 0);
    struct pollfd poll_for = {.fd = death->pidfd, .events = POLLIN};
    if (death->pidfd >= 0)
        return poll(&poll_for, 1, 0) == 1;
    char text[1024];
    if (!stat_read(death->pid, text, sizeof text) || !is_same(death, text))
        return true;
    const char *state = stat_field(text, FIELD_STATE);
    return state && (*state == 'Z' || *state == 'X');
}

enum death_state death_look(struct death *death, int dir_fd, uint32_t pid,
                            const struct lane_session *header)
{
    lane_assert(death->state <= DEATH_UNSEEN && dir_fd >= 0);
    struct death_moment before = moment_now();
    if (death->state == DEATH_ALIVE && has_ended(death)) {
        struct death_moment now = moment_now();
        death->state = DEATH_DEAD;
        ask_kernel(death);
        not_later_than(death, ticks_of(&now, header));
        if (death->noticed.tsc)
            not_later_than(death, ticks_of(&death->noticed, header));
    } else if (death->state == DEATH_ALIVE) {
        death->alive_ticks = ticks_of(&before, header);
    }
    if (death->state != DEATH_ALIVE &&
        (!death->has_status || strcmp(death->source, "reaper") != 0))
        (void)ask_reaper(death, dir_fd, pid, header->clock);
    if (death->state == DEATH_UNSEEN && death->has_status)
        death->state = DEATH_DEAD;
    return death->state;
}

void death_sample(struct death *death)
{
    char path[64], text[4096];
    if (death->state != DEATH_ALIVE ||
        !stat_read(death->pid, text, sizeof text) || !is_same(death, text))
        return;
    uint64_t ticks =
        stat_number(text, FIELD_UTIME) + stat_number(text, FIELD_STIME);
    uint64_t a_second = (uint64_t)sysconf(_SC_CLK_TCK);
    death->cpu_ns = ticks * (1000000000u / (a_second ? a_second : 100));
    snprintf(path, sizeof path, "/proc/%d/status", death->pid);
    if (!read_text(path, text, sizeof text))
        return;
    const char *line = strstr(text, "VmHWM:");
    if (line)
        death->peak_bytes = strtoull(line + 6, NULL, 10) * 1024;
}

bool death_maps(const struct death *death, const char *name)
{
    char path[64], line[4096 + 128];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/maps", death->pid);
    FILE *maps = death->state == DEATH_ALIVE ? fopen(path, "re") : NULL;
    while (maps && !found && fgets(line, sizeof line, maps))
        found = strstr(line, name) != NULL;
    if (maps)
        fclose(maps);
    return found;
}

void death_close(struct death *death)
{
    await_no_more(death);
    if (death->pidfd >= 0)
        close(death->pidfd);
    death->pidfd = -1;
}
