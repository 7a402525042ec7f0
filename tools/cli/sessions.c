/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of a directory; see sessions.h. */
#include "tools/cli/sessions.h"
#include "lane/reader.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void look_at_processes(const struct lane_reader *r,
                              struct session_info *s)
{
    for (uint32_t i = 0; i < r->header.process_next; i++) {
        struct lane_process p;
        if (lane_reader_entry(r, LANE_TABLE_PROCESSES, i, &p) < 0 ||
            p.state == LANE_PROCESS_NONE)
            continue;
        if (s->process_count++ == 0) {
            s->pid = p.pid;
            memcpy(s->name, p.name, sizeof p.name);
        }
        if (p.state == LANE_PROCESS_RUNS && p.pid > 0 &&
            (kill((pid_t)p.pid, 0) == 0 || errno == EPERM))
            s->alive_count++;
    }
}

static void look_at_lanes(const struct lane_reader *r, struct session_info *s)
{
    for (uint32_t i = 0; i < r->header.lane_next; i++) {
        struct lane_head lane;
        if (lane_reader_lane(r, i, &lane) < 0)
            continue;
        s->lane_count++;
        if (lane.position > lane.tail)
            s->backlog_bytes += lane.position - lane.tail;
        s->dropped += lane.dropped;
        s->open_spans += lane.depth;
    }
}

static void look(int dir_fd, const char *file, struct session_info *s)
{
    struct lane_reader r;
    *s = (struct session_info){0};
    snprintf(s->file, sizeof s->file, "%s", file);
    s->err = lane_reader_open(&r, dir_fd, file);
    if (s->err)
        return;
    const struct lane_session *h = &r.header;
    s->major = h->major;
    s->minor = h->minor;
    s->is_off = h->gate == LANE_GATE_OFF;
    s->unit_count = h->unit_next;
    s->unit_max = h->unit_max;
    s->lost_threads = h->lost_threads;
    s->lost_calls = h->lost_calls;
    s->lost_contexts = h->lost_contexts;
    s->lost_sites = h->lost_sites;
    s->lost_strings = h->lost_strings;
    s->lost_processes = h->lost_processes;
    s->hook_faults = h->hook_faults;
    s->manifest_errors = h->manifest_errors;
    lane_reader_string(&r,
                       (struct lane_string){h->store_string, h->store_bytes}, 0,
                       s->store, sizeof s->store);
    look_at_processes(&r, s);
    look_at_lanes(&r, s);
    lane_reader_close(&r);
}

int sessions_each(const char *dir,
                  int (*each)(void *context, const struct session_info *s),
                  void *context)
{
    DIR *d = opendir(dir);
    if (!d)
        return -errno;
    int err = 0;
    for (struct dirent *e; !err && (e = readdir(d));) {
        struct session_info s;
        if (strncmp(e->d_name, "session-", 8) != 0)
            continue;
        look(dirfd(d), e->d_name, &s);
        if (s.err != -ENOENT) /* else it was drained meanwhile */
            err = each(context, &s);
    }
    closedir(d);
    return err;
}

static bool has_process(const struct lane_reader *r, uint32_t pid)
{
    for (uint32_t i = 0; i < r->header.process_next; i++) {
        struct lane_process p;
        if (lane_reader_entry(r, LANE_TABLE_PROCESSES, i, &p) == 0 &&
            p.state == LANE_PROCESS_RUNS && p.pid == pid)
            return true;
    }
    return false;
}

static int add_beside(const struct lane_reader *r, uint32_t pid, uint32_t *pids,
                      int most, int count)
{
    for (uint32_t i = 0; i < r->header.process_next; i++) {
        struct lane_process p;
        if (lane_reader_entry(r, LANE_TABLE_PROCESSES, i, &p) != 0 ||
            p.state != LANE_PROCESS_RUNS || p.pid == pid || p.pid == 0 ||
            (kill((pid_t)p.pid, 0) != 0 && errno != EPERM))
            continue;
        if (count < most)
            pids[count] = p.pid;
        count++;
    }
    return count;
}

int sessions_beside(const char *dir, uint32_t pid, uint32_t *pids, int most)
{
    int count = 0;
    DIR *d = opendir(dir);
    if (!d)
        return -errno;
    for (struct dirent *e; (e = readdir(d));) {
        struct lane_reader r;
        if (strncmp(e->d_name, "session-", 8) != 0 ||
            lane_reader_open(&r, dirfd(d), e->d_name) < 0)
            continue;
        if (has_process(&r, pid))
            count = add_beside(&r, pid, pids, most, count);
        lane_reader_close(&r);
    }
    closedir(d);
    return count;
}

/* The gate is one aligned word of a header that was validated; a file that
 * shrinks under us is written with pwrite(), which faults nobody. */
static int set_gate(int dir_fd, const char *file, uint32_t gate)
{
    int fd =
        openat(dir_fd, file, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    ssize_t n = pwrite(fd, &gate, sizeof gate,
                       (off_t)offsetof(struct lane_session, gate));
    int err = n == (ssize_t)sizeof gate ? 0 : n < 0 ? -errno : -EIO;
    close(fd);
    return err;
}

int sessions_set_gate(const char *dir, uint32_t pid, bool open)
{
    int changed = 0, err = 0;
    DIR *d = opendir(dir);
    if (!d)
        return -errno;
    for (struct dirent *e; (e = readdir(d));) {
        struct lane_reader r;
        if (strncmp(e->d_name, "session-", 8) != 0 ||
            lane_reader_open(&r, dirfd(d), e->d_name) < 0)
            continue;
        if (pid == 0 || has_process(&r, pid)) {
            int failed = set_gate(dirfd(d), e->d_name,
                                  open ? LANE_GATE_OPEN : LANE_GATE_OFF);
            err = failed ? failed : err;
            changed += !failed;
        }
        lane_reader_close(&r);
    }
    closedir(d);
    return err ? err : changed;
}
