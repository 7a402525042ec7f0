/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends: of threads, processes, the session.
 *
 * A process is gone when its pidfd says so; after an exec (same pid) when the
 * kernel marked all its lanes, since robust words tell exec as well. Then its
 * lanes are read to their end, what is open in them is stored as unfinished,
 * and its row is closed. The session is over when all its processes are and
 * nobody has the file mapped: a forked child that made no traced call yet is
 * in no table, but a file that is mapped for writing refuses a read lease.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include "tools/sidecar/drain/drain_internal.h"
#include "tools/sidecar/session/session.h"
#include "tools/sidecar/session/setup.h"
#include "tools/sidecar/session/words.h"
#include "lane/format/assert.h"

enum {
    REAPER_NS = 300000000,  /* so long the reaper may take for its word */
    THREAD_NS = 1000000000, /* so long a dead thread's process may follow */
    SENT_NS = 100000000,    /* ... and others' words to be read */
    FORK_NS = 1000000000,   /* ... and a forked child may take to be seen */
    MOST_ITEMS = 1 << 14,   /* of a lane in one transaction */
};

/* ---- lanes of the dead -------------------------------------------------- */

/*
 * To its end; -EINPROGRESS: a stack of it is being named, or there is more.
 * What a thread was writing as it died is no loss: its call did not return.
 * Only where the thread went on after it an item is missing.
 */
static int lane_finish(struct session *s, uint32_t lane, uint64_t owner,
                       const char *ended_by, uint64_t end_ticks, int64_t now_ns)
{
    lane_assert(lane < LANE_MAX && s->lane[lane].is_open);
    struct session_lane *l = &s->lane[lane];
    int rc = 0, cut = 0;
    if (l->judged == owner)
        return 0; /* done, and not given back yet */
    while (!l->lost && rc == 0) {
        rc = drain_lane(s, lane, MOST_ITEMS, now_ns);
        if (rc < 0)
            return rc;
        if (rc > 0 || l->is_waiting) {
            s->corrupt += cut;
            cut = 0;
        }
        if (l->is_waiting || rc == MOST_ITEMS)
            return -EINPROGRESS;
        if (l->lost || session_lane_is_read(l))
            break;
        /* somebody has it by now: what is reserved is being written */
        if (l->log.head.owner != owner)
            return 0;
        if (rc == 0 && lane_log_at_end(&l->log)) {
            kept_drop(s, lane); /* it is all that can be unread */
            break;
        }
        if (rc == 0) { /* reserved by a thread that is no more */
            if (lane_log_skip(&l->log) != 0)
                return -ENOMEM;
            cut++;
        }
        rc = 0;
    }
    rc = drain_open(s, lane, owner, "unfinished", ended_by, 0, end_ticks);
    l->judged = owner;
    return rc;
}

static bool lane_owner_died(const struct lane_head *head)
{
    return LANE_OWNER_GENERATION(head->owner) == head->generation &&
           (head->robust & FUTEX_OWNER_DIED);
}

/* A thread that died with spans open, in a process that lives. */
static int lane_look(struct session *s, uint32_t lane, int64_t now_ns)
{
    lane_assert(lane < s->reader.header.lane_next);
    struct session_lane *l = &s->lane[lane];
    struct lane_head head;
    if (l->lost || lane_reader_lane(&s->reader, lane, &head) != 0 ||
        LANE_OWNER_WHO(head.owner) == 0 || !lane_owner_died(&head) ||
        head.depth == 0) {
        l->dead_since_ns = 0;
        return 0;
    }
    const struct session_process *p =
        session_process_of(s, LANE_OWNER_WHO(head.owner) - 1);
    if (!p || p->is_gone)
        return 0; /* finished with its process */
    if (l->dead_since_ns == 0) {
        l->dead_since_ns = now_ns;
        l->dead_ticks =
            s->is_boot_ours && s->keeper ? lane_now(&s->keeper->map) : 0;
    }
    if (now_ns - l->dead_since_ns < THREAD_NS)
        return 0; /* perhaps its process died, or is in exec */
    int rc = lane_finish(s, lane, head.owner, "exit", l->dead_ticks, now_ns);
    if (rc == -EINPROGRESS)
        return 0; /* looked at again */
    l->dead_since_ns = 0;
    s->is_moved = true;
    return rc;
}

/* ---- processes ---------------------------------------------------------- */

/* After an exec the pid lives on; its lanes do not, nor does the mapping. */
static bool exec_is_done(struct session *s, uint32_t index)
{
    lane_assert(index < LANE_PROCESS_MAX);
    if (death_maps(&s->process[index].death, s->name))
        return false;
    for (uint32_t i = 0; i < s->reader.header.lane_next; i++) {
        struct lane_head head;
        if (lane_reader_lane(&s->reader, i, &head) == 0 &&
            LANE_OWNER_WHO(head.owner) == s->process[index].number + 1 &&
            !lane_owner_died(&head))
            return false;
    }
    return true;
}

/* Of a process; of its open calls SIGKILL is "killed". */
static const char *ended_by_of(const struct session_process *p)
{
    uint32_t marker = p->entry.state == LANE_PROCESS_ENDED
                          ? p->entry.marker
                          : (uint32_t)LANE_MARKER_NONE;
    if (marker == LANE_MARKER_EXEC)
        return "exec";
    if (p->death.has_status && WIFSIGNALED(p->death.status))
        return "signal";
    if (p->death.has_status)
        return "exit";
    if (marker == LANE_MARKER_SIGNAL || marker == LANE_MARKER_ABORT)
        return "signal";
    return marker == LANE_MARKER_NONE ? "unknown" : "exit";
}

int session_died_by(const struct session_process *process)
{
    const struct session_process *p = process;
    return p && p->is_gone && !p->is_ordered &&
                   p->entry.state != LANE_PROCESS_ENDED &&
                   p->death.has_status && WIFSIGNALED(p->death.status)
               ? WTERMSIG(p->death.status)
               : 0;
}

/* The entry as it is now that nobody writes it any more. */
static int entry_read(struct session *s, uint32_t index)
{
    lane_assert(index < LANE_PROCESS_MAX);
    return lane_reader_entry(&s->reader, LANE_TABLE_PROCESSES, index,
                             &s->process[index].entry);
}

/* A pool that ends its own workers has not failed. What is not marked yet as
 * sent may be said by a session that this round comes to later. */
static bool is_order_known(const struct session *s, struct session_process *p,
                           int64_t now_ns)
{
    const struct death *d = &p->death;
    if (p->entry.state == LANE_PROCESS_ENDED || !d->has_status ||
        !WIFSIGNALED(d->status))
        return true;
    int signal = WTERMSIG(d->status);
    if (signal != SIGTERM && signal != SIGINT && signal != SIGHUP)
        return true;
    p->is_ordered = words_is_sent(s, p);
    return p->is_ordered || now_ns - p->gone_since_ns >= SENT_NS;
}

/* When a process ended that could not say so itself. Without anything that it
 * was over by then: what it was last seen to do. */
static void end_choose(const struct session *s, struct session_process *p)
{
    lane_assert(p->is_known);
    const struct death *d = &p->death;
    uint64_t least = p->entry.t0_ticks;
    if (p->last_ticks > least)
        least = p->last_ticks;
    if (s->is_boot_ours && d->alive_ticks > least)
        least = d->alive_ticks;
    p->entry.t1_ticks = least;
    if (!s->is_boot_ours || d->end_ticks < least) {
        p->end_least_ticks = least;
        return;
    }
    /* that nobody looked before it was over says little of when that was */
    bool is_seen = d->is_exact || p->is_told || d->pidfd >= 0;
    if (is_seen)
        p->entry.t1_ticks = d->end_ticks;
    if (!d->is_exact) {
        p->end_least_ticks = least;
        p->end_most_ticks = d->end_ticks;
    }
}

static int process_gone(struct session *s, uint32_t index,
                        enum death_state state, int64_t now_ns)
{
    lane_assert(index < LANE_PROCESS_MAX && s->process[index].is_known);
    struct session_process *p = &s->process[index];
    int rc = entry_read(s, index);
    if (rc != 0)
        return rc;
    bool marked = p->entry.state == LANE_PROCESS_ENDED;
    bool is_exec = marked && p->entry.marker == LANE_MARKER_EXEC;
    if (state == DEATH_ALIVE && !(is_exec && exec_is_done(s, index)))
        return 0;
    if (state == DEATH_UNSEEN && !marked && s->free_since_ns == 0)
        return 0;
    if (p->gone_since_ns == 0)
        p->gone_since_ns = now_ns;
    if (!marked)
        words_ask(s, p);
    if (!marked && !p->death.has_status &&
        now_ns - p->gone_since_ns < REAPER_NS)
        return 0;
    if (!is_order_known(s, p, now_ns))
        return 0;
    p->is_gone = true;
    p->ended_by = ended_by_of(p);
    p->calls_ended_by = session_died_by(p) == SIGKILL ? "killed" : p->ended_by;
    if (!marked)
        end_choose(s, p);
    return 0;
}

/* What a dead process wrote to a lane that somebody else has now. */
static int lane_catch_up(struct session *s, uint32_t lane, int64_t now_ns)
{
    lane_assert(lane < LANE_MAX);
    const struct session_process *p =
        session_process_of(s, s->lane[lane].process);
    if (!p || !p->is_gone || p->is_ended)
        return 0;
    int rc = drain_lane(s, lane, MOST_ITEMS, now_ns);
    if (rc < 0)
        return rc;
    return s->lane[lane].is_waiting || rc == MOST_ITEMS ? -EINPROGRESS : 0;
}

/* Until when what was open in it lasted: an exec ended it all there. */
static uint64_t end_of_calls(const struct session_process *p)
{
    uint64_t t1 = p->entry.t1_ticks;
    return t1 > p->last_ticks ? t1 : p->last_ticks;
}

/* Those that went since the last look: their lanes to the end, then they. One
 * look for all of them, or a thousand children would be as many. */
static int finish_gone(struct session *s, int64_t now_ns)
{
    bool is_waiting = false;
    /* one may have taken a lane and died since this batch began */
    int rc = session_look_again(s);
    for (uint32_t i = 0; rc == 0 && i < s->reader.header.lane_next; i++) {
        struct lane_head head;
        if (!s->lane[i].is_open ||
            lane_reader_lane(&s->reader, i, &head) != 0 ||
            LANE_OWNER_WHO(head.owner) == 0)
            continue;
        const struct session_process *p =
            session_process_of(s, LANE_OWNER_WHO(head.owner) - 1);
        if (p && p->is_ended) /* with its lanes, in one transaction */
            s->lane[i].judged = head.owner;
        else if (p && p->is_gone)
            rc = lane_finish(s, i, head.owner, p->calls_ended_by,
                             end_of_calls(p), now_ns);
        else if (!s->lane[i].lost) /* it may have been a dead one's before */
            rc = lane_catch_up(s, i, now_ns);
        if (rc == -EINPROGRESS) {
            is_waiting = true;
            rc = 0;
        }
    }
    if (rc != 0 || is_waiting)
        return rc;
    s->is_moved |= s->has_ended; /* their lanes are to be given back */
    s->has_ended = false;
    for (uint32_t i = 0; rc == 0 && i < s->reader.header.process_next; i++)
        if (s->process[i].is_gone && !s->process[i].is_ended) {
            rc = drain_begun(s, s->process[i].number,
                             s->process[i].calls_ended_by,
                             end_of_calls(&s->process[i]));
            if (rc == 0)
                rc = drain_process_end(s, i);
        }
    return rc;
}

static int processes_look(struct session *s, int64_t now_ns)
{
    bool any = false;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < s->reader.header.process_next; i++) {
        struct session_process *p = &s->process[i];
        if (!p->is_known || p->is_ended)
            continue;
        if (!p->is_gone)
            rc = process_gone(s, i,
                              death_look(&p->death, s->dir_fd, p->entry.pid,
                                         &s->reader.header),
                              now_ns);
        any |= p->is_gone;
    }
    any |= s->has_ended;
    return rc == 0 && any ? finish_gone(s, now_ns) : rc;
}

/* ---- the session --------------------------------------------------------- */

static bool all_read(const struct session *s)
{
    for (uint32_t i = 0; i < s->reader.header.process_next; i++)
        if (s->process[i].is_known && !s->process[i].is_ended)
            return false;
    for (uint32_t i = 0; i < s->reader.header.lane_next; i++)
        if (s->lane[i].is_open && !s->lane[i].lost &&
            !session_lane_is_read(&s->lane[i]))
            return false;
    return true;
}

bool finish_is_waiting(const struct session *session)
{
    for (uint32_t i = 0; i < session->reader.header.lane_next; i++)
        if (session->lane[i].is_waiting)
            return true;
    for (uint32_t i = 0; i < session->reader.header.process_next; i++)
        if (session->process[i].gone_since_ns != 0 &&
            !session->process[i].is_gone)
            return true;
    return false;
}

static bool somebody_unseen(const struct session *s)
{
    for (uint32_t i = 0; i < s->reader.header.process_next; i++)
        if (s->process[i].is_known && !s->process[i].is_ended &&
            s->process[i].death.state == DEATH_UNSEEN)
            return true;
    return false;
}

enum written {
    WRITTEN_NO,
    WRITTEN_YES,
    WRITTEN_UNKNOWN, /* the file is another user's: no lease for us */
};

static enum written is_written(int fd)
{
    if (fcntl(fd, F_SETLEASE, F_RDLCK) != 0)
        return errno == EAGAIN   ? WRITTEN_YES
               : errno == EACCES ? WRITTEN_UNKNOWN
                                 : WRITTEN_NO; /* no leases here: trust */
    (void)fcntl(fd, F_SETLEASE, F_UNLCK);
    return WRITTEN_NO;
}

/* Where the kernel does not tell who has the file: every process of the session
 * is gone, and for so long that a child which one forked at its end would be
 * known (it registers itself as fork() returns). */
static bool everybody_is_gone(struct session *s, int64_t now_ns)
{
    bool are_gone = s->reader.header.lost_processes == 0;
    for (uint32_t i = 0; i < s->reader.header.process_next && are_gone; i++)
        are_gone = s->process[i].is_free ||
                   (s->process[i].is_known && s->process[i].is_gone);
    if (!are_gone)
        s->gone_since_ns = 0;
    else if (s->gone_since_ns == 0)
        s->gone_since_ns = now_ns;
    return are_gone && now_ns - s->gone_since_ns > FORK_NS;
}

bool session_is_written(int dir_fd, const char *name)
{
    int fd =
        openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    enum written is = fd >= 0 ? is_written(fd) : WRITTEN_NO;
    if (fd >= 0)
        close(fd);
    return is == WRITTEN_UNKNOWN ? setup_maker_lives(name) : is == WRITTEN_YES;
}

/* Nobody has the file open or mapped for writing. Ours is unmapped before;
 * the next batch maps it again if there is need. */
static bool nobody_writes(struct session *s, int64_t now_ns)
{
    if (s->keeper) {
        spool_detach(s);
        lane_keeper_close(s->keeper);
        free(s->keeper);
        s->keeper = NULL;
    }
    enum written is = is_written(s->reader.fd);
    return is == WRITTEN_UNKNOWN ? everybody_is_gone(s, now_ns)
                                 : is == WRITTEN_NO;
}

int finish_look(struct session *s, int64_t now_ns)
{
    int rc = processes_look(s, now_ns);
    for (uint32_t i = 0; rc == 0 && i < s->reader.header.lane_next; i++)
        if (s->lane[i].is_open)
            rc = lane_look(s, i, now_ns);
    if (rc != 0)
        return rc;
    if (somebody_unseen(s) && nobody_writes(s, now_ns))
        s->free_since_ns = now_ns; /* so those are gone: next time */
    if (!all_read(s) || !nobody_writes(s, now_ns))
        return 0;
    /* what came in before the lease was granted */
    rc = session_look_again(s);
    for (uint32_t i = 0; rc == 0 && i < s->reader.header.lane_next; i++) {
        struct session_lane *l = &s->lane[i];
        if (!l->lost &&
            (lane_log_look(&l->log) != 0 || !session_lane_is_read(l)))
            return 0;
    }
    if (rc == 0) /* nobody writes any more: these are the last counts */
        rc = session_look_gate(s);
    if (rc == 0)
        rc = tables_counters(s);
    s->is_ended = rc == 0 && all_read(s) && coverage_is_done(s);
    return rc;
}
