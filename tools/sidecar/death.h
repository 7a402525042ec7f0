/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a traced process still there, and how did it end? A pid alone says
 * nothing (it is reused): the start time goes with it, and a pidfd is held
 * while the process lives.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum death_state {
    DEATH_ALIVE,
    DEATH_DEAD,
    DEATH_UNSEEN, /* in a pid namespace that we do not see into */
};
struct death {
    int pidfd;   /* -1: none */
    int32_t pid; /* as we see it */
    uint64_t start_time;
    enum death_state state;
    bool has_status;             /* of a dead one: */
    int status;                  /* as from waitpid() */
    const char *source;          /* "reaper", "pidfd" */
    uint64_t cpu_ns, peak_bytes; /* last sample; 0 none */
};

/* Begin to watch. `pid_namespace` is where `pid` counts (inode number). */
void death_watch(struct death *death, uint32_t pid, uint64_t start_time,
                 uint64_t pid_namespace);
/* Look again. In `dir_fd` the reaper may have left a word (docs/lane.md). */
enum death_state death_look(struct death *death, int dir_fd, uint32_t pid);
/* CPU time and peak memory as of now. */
void death_sample(struct death *death);
/* Has it a file of this name mapped? False if one cannot know. */
bool death_maps(const struct death *death, const char *name);
void death_close(struct death *death);
