/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is handed on to an exec'ed program: its place in the trace, in a copy
 * of the environment that the program meant to give it.
 */
#pragma once
#include "lane/format/exec_time.h"
#include "preload/call/record/span.h"

/* Take in what this process was given (config.env must be as the kernel handed
 * it over), and bind fork, exec and pthread_create. [constructor] */
HIDDEN void exec_watch(void);
/* The parallel regions of libgomp, where no handler stands. [constructor] */
HIDDEN void exec_watch_regions(void);

/* ---- exec_env.c ------------------------------------------------------- */

enum {
    EXEC_PARENT_BYTES = sizeof "TRACEPARENT=" + 55,
    EXEC_PRELOAD_MAX = 512, /* a longer LD_PRELOAD stays as it is */
    EXEC_GUEST_MAX = 1000,  /* variables that fit a child's stack */
};
/* What is to be said to the child, and how. */
struct exec_env {
    uint64_t count; /* of the program's entries; the edited copy has up to 5
                       more, and NULL */
    bool is_ours;   /* LD_PRELOAD names us, or a TRACEPARENT was there */
    bool has_preload;
    bool keeps_parent; /* the program made a TRACEPARENT of its own */
    bool has_state, has_baggage;
    bool has_time; /* a variable of ours that is stale by now */
    bool is_timed; /* set by who knows: it is to be told when it was exec'ed */
    const char *preload; /* the program's own string of LD_PRELOAD */
};
/* Look through `env`; false: it cannot be read. [any thread, signal-safe] */
HIDDEN bool exec_env_look(char *const *env, struct exec_env *found);
/* Is the file of ours that LD_PRELOAD names there for this process, which may
 * have another root by now? True if it names none by a path. [signal-safe] */
HIDDEN bool exec_env_preload_is_there(const struct exec_env *found);
/* Texts that the edited copy points to. */
struct exec_texts {
    char parent[EXEC_PARENT_BYTES];
    char preload[EXEC_PRELOAD_MAX];
    char time[LANE_EXEC_BYTES];
};
/* Make the edited copy in `out` (count + 6 entries): `place` as parent, without
 * us in LD_PRELOAD if `drop_preload`. False: the program changed the array
 * meanwhile. */
HIDDEN bool exec_env_edit(char *const *env, const struct exec_env *found,
                          struct span_place place, bool drop_preload,
                          struct exec_texts *texts, char **out);
/* The variable with its name, for `place`. [any thread, signal-safe] */
HIDDEN void exec_env_traceparent(struct span_place place,
                                 char out[EXEC_PARENT_BYTES]);
/* Keep TRACEPARENT and its companions as they are now. [constructor] */
HIDDEN void exec_env_start(void);

/* ---- exec_target.c ---------------------------------------------------- */

/* Whether what stands at `path` (or is open as `dir_fd`, if it is empty) can be
 * traced. What cannot be looked at counts as traceable. A few syscalls.
 * [any thread, signal-safe] */
HIDDEN enum lane_lost exec_target_look(int dir_fd, const char *path);
/* Keep our own loader in mind. [constructor] */
HIDDEN void exec_target_start(void);
