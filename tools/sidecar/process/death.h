/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a traced process still there, and how did it end? A pid alone says
 * nothing (it is reused): the start time goes with it, and a pidfd is held
 * while the process lives.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "lane/format/layout.h"

enum death_state {
    DEATH_ALIVE,
    DEATH_DEAD,
    DEATH_UNSEEN, /* in a pid namespace that we do not see into */
};
struct death_moment { /* on both clocks that a session may have */
    uint64_t tsc, monotonic_ns;
};
struct death {
    int pidfd;   /* -1: none */
    int32_t pid; /* as we see it */
    uint64_t start_time;
    enum death_state state;
    bool has_status;             /* of a dead one: */
    int status;                  /* as from waitpid() */
    const char *source;          /* "reaper", "pidfd", "parent" */
    uint64_t cpu_ns, peak_bytes; /* last sample; 0 none */
    /* When it ended, in ticks of its session: not later than, 0 not known; and
     * when it was last seen alive. Exact: the reaper said so. */
    uint64_t end_ticks, alive_ticks;
    bool is_exact;
    bool is_awaited;             /* death_wait() looks at it */
    struct death_moment noticed; /* by death_gather(); tsc 0: not yet */
};

/* Begin to watch. `pid_namespace` is where `pid` counts (inode number). */
void death_watch(struct death *death, uint32_t pid, uint64_t start_time,
                 uint64_t pid_namespace);
/* All that are watched and alive: readable when one of them ends. -1: none. */
int death_wait_fd(void);
/* Take note of the moment for those that ended; call it as soon as that was
 * readable. */
void death_gather(void);
/* Look again. In `dir_fd` the reaper may have left a word (docs/lane.md). */
enum death_state death_look(struct death *death, int dir_fd, uint32_t pid,
                            const struct lane_session *header);
/* CPU time and peak memory as of now. */
void death_sample(struct death *death);
/* Has it a file of this name mapped? False if one cannot know. */
bool death_maps(const struct death *death, const char *name);
void death_close(struct death *death);
