/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The row of a process that ended: how, by whose word, how long it ran and what
 * it used. What really happened (its exit status, as its parent or the reaper
 * got it) goes before what it said of itself as it left.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include "lane/format/assert.h"
#include "tools/sidecar/drain/drain_internal.h"
#include "tools/sidecar/drain/ending.h"

struct process_end {
    const char *status;
    int64_t exit_code, signal;
    const char *source;
};

/* The manifest's word on an exit status, else the shell's: 0 is success. */
static bool is_exit_error(const struct lane_session *header, int64_t status)
{
    if (!header->has_exit_rules || status < 0 || status > 255)
        return status != 0;
    return header->exit_errors[status / 8] >> status % 8 & 1;
}

static struct process_end end_of(const struct lane_session *header,
                                 const struct session_process *p)
{
    struct process_end end = {"unfinished", STORE_NULL, STORE_NULL, NULL};
    bool marked = p->entry.state == LANE_PROCESS_ENDED;
    uint32_t marker = marked ? p->entry.marker : LANE_MARKER_NONE;
    if (p->death.has_status) { /* what really happened */
        end.source = p->death.source;
        if (WIFSIGNALED(p->death.status))
            end.signal = WTERMSIG(p->death.status);
        else
            end.exit_code = WEXITSTATUS(p->death.status);
    } else if (marked) {
        end.source = "marker";
        if (marker == LANE_MARKER_EXIT || marker == LANE_MARKER__EXIT)
            end.exit_code = p->entry.code & 0xff;
        if (marker == LANE_MARKER_SIGNAL)
            end.signal = p->entry.code;
        if (marker == LANE_MARKER_ABORT)
            end.signal = SIGABRT;
    }
    if (marker == LANE_MARKER_EXEC && end.source) {
        end.exit_code = end.signal = STORE_NULL;
        end.source = "marker";
        end.status = "ok";
    } else if (end.signal != STORE_NULL) {
        end.status = p->is_ordered ? "ok" : "error";
    } else if (end.exit_code != STORE_NULL) {
        end.status = is_exit_error(header, end.exit_code) ? "error" : "ok";
    }
    return end;
}

/* Unknown: STORE_NULL. */
static int64_t since_start(const struct session *s,
                           const struct session_process *p, uint64_t ticks)
{
    if (ticks == 0)
        return STORE_NULL;
    return clock_until_ns(&s->clock, p->entry.t0_ticks, ticks);
}

/* What the screens say of one that failed. */
static int find_ending(struct session *s, const struct session_process *p,
                       const struct process_end *end, struct ending *out)
{
    bool is_signal = end->signal != STORE_NULL;
    *out = (struct ending){NULL, NULL};
    if (strcmp(end->status, "error") != 0)
        return 0;
    return ending_make(s, p->number, is_signal ? "signal" : "exit",
                       is_signal ? end->signal : end->exit_code, out);
}

/* Of its own time, t0 to t1; 0: unknown. What others told is since its fork,
 * and an image that was exec'ed begins later (struct lane_process). */
static uint64_t cpu_of(const struct session_process *p)
{
    if (p->entry.state == LANE_PROCESS_ENDED)
        return p->entry.cpu_ns;
    if (p->entry.marker != LANE_MARKER_NONE) /* died while it wrote its end */
        return 0;
    return p->death.cpu_ns > p->entry.cpu_ns ? p->death.cpu_ns - p->entry.cpu_ns
                                             : 0;
}

int drain_process_end(struct session *s, uint32_t index)
{
    lane_assert(index < LANE_PROCESS_MAX && s->process[index].is_gone);
    struct session_process *p = &s->process[index];
    struct process_end end = end_of(&s->reader.header, p);
    struct ending ending;
    int rc = find_ending(s, p, &end, &ending);
    if (rc < 0)
        return rc;
    bool marked = p->entry.state == LANE_PROCESS_ENDED;
    uint64_t t1 = p->entry.t1_ticks;
    if (t1 < p->last_ticks)
        t1 = p->last_ticks;
    int64_t duration = clock_until_ns(&s->clock, p->entry.t0_ticks, t1);
    uint64_t cpu = cpu_of(p);
    uint64_t peak = marked ? p->entry.peak_bytes : p->death.peak_bytes;
    bool is_reaped = p->death.source && strcmp(p->death.source, "reaper") == 0;
    bool is_sample = !marked && !is_reaped;
    rc = store_run(
        s->store, STORE_PROCESS_END, "iiiiiittiitiitt", s->id,
        (int64_t)p->number, duration, cpu ? (int64_t)cpu : STORE_NULL,
        peak ? (int64_t)peak : STORE_NULL, (int64_t)is_sample, end.status,
        p->ended_by, end.exit_code, end.signal, end.source,
        since_start(s, p, p->end_least_ticks),
        since_start(s, p, p->end_most_ticks), ending.error, ending.group);
    ending_free(&ending);
    if (rc >= 0)
        rc = tables_lost(s, p);
    if (rc >= 0 && index == 0)
        rc = tables_loading(s, true);
    uint32_t context = p->entry.context;
    int64_t trace = rc < 0 ? rc : tables_trace(s, &context, p->entry.t0_ticks);
    if (trace < 0)
        return (int)trace;
    rc = store_run(s->store, STORE_TRACE_PROCESS, "i", trace);
    death_close(&p->death);
    p->is_ended = true;
    s->ended_places += index != 0; /* the first one's texts are all's */
    s->is_moved = true;
    return rc < 0 ? rc : 0;
}
