/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of a directory; see sessions.h. */
#include "tools/cli/launch/sessions.h"
#include "tools/cli/launch/gate.h"
#include "lane/reader/reader.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_alive(const struct lane_process *p)
{
    return p->state == LANE_PROCESS_RUNS && p->pid > 0 &&
           (kill((pid_t)p->pid, 0) == 0 || errno == EPERM);
}

static bool is_off(const struct lane_session *h, uint32_t place)
{
    return h->gate == LANE_GATE_SOME && h->minor >= LANE_MINOR_OFF &&
           (h->process_off[place / 64] >> place % 64 & 1);
}

static void add_off(struct session_info *s, const struct lane_process *p)
{
    size_t count = (size_t)s->off_count + 1;
    struct session_process *off =
        reallocarray(s->off, count, sizeof(struct session_process));
    if (!off) {
        s->err = -ENOMEM;
        return;
    }
    off[count - 1] = (struct session_process){.pid = p->pid};
    memcpy(off[count - 1].name, p->name, sizeof p->name);
    s->off = off;
    s->off_count++;
}

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
        if (!is_alive(&p))
            continue;
        s->alive_count++;
        if (is_off(&r->header, i))
            add_off(s, &p);
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
    s->is_refused = h->is_refused != 0;
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
        free(s.off);
    }
    closedir(d);
    return err;
}

/* Its place in the session; -1: it is not there. */
static int64_t find_process(const struct lane_reader *r, uint32_t pid)
{
    for (uint32_t i = 0; i < r->header.process_next; i++) {
        struct lane_process p;
        if (lane_reader_entry(r, LANE_TABLE_PROCESSES, i, &p) == 0 &&
            p.state == LANE_PROCESS_RUNS && p.pid == pid)
            return i;
    }
    return -1;
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
        if (find_process(&r, pid) >= 0)
            count = add_beside(&r, pid, pids, most, count);
        lane_reader_close(&r);
    }
    closedir(d);
    return count;
}

int sessions_set_gate(const char *dir, uint32_t pid, bool open, bool *is_alone)
{
    int changed = 0, err = 0;
    DIR *d = opendir(dir);
    if (!d)
        return -errno;
    *is_alone = true;
    for (struct dirent *e; (e = readdir(d));) {
        struct lane_reader r;
        if (strncmp(e->d_name, "session-", 8) != 0 ||
            lane_reader_open(&r, dirfd(d), e->d_name) < 0)
            continue;
        bool is_old = r.header.minor < LANE_MINOR_OFF; /* all or nothing */
        int64_t place = pid == 0 ? -1 : find_process(&r, pid);
        if (pid == 0 || place >= 0) {
            int done =
                gate_set(dirfd(d), e->d_name, &r, is_old ? -1 : place, open);
            err = done < 0 ? done : err;
            *is_alone &= done == 0;
            changed += done >= 0;
        }
        lane_reader_close(&r);
    }
    closedir(d);
    return err ? err : changed;
}
