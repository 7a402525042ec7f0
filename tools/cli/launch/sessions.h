/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sessions that lie in a directory, read as distrustfully as the sidecar
 * does. The one place of the views that looks into lanes: what is there and
 * not in the store yet, and the gate that switches recording off.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tools/common/paths.h"

struct session_process {
    uint32_t pid;
    char name[16 + 1];
};

struct session_info {
    char file[256];
    int err; /* 0, or why it cannot be read: -EPROTONOSUPPORT, -EBADMSG ... */
    unsigned major, minor;
    uint32_t pid; /* of the first process */
    char name[16 + 1];
    int64_t process_count, alive_count, lane_count;
    uint64_t backlog_bytes; /* written and not drained */
    uint64_t open_spans, dropped;
    uint64_t unit_count, unit_max; /* memory budget, in MiB */
    uint64_t lost_threads, lost_calls, lost_contexts, lost_sites, lost_strings,
        lost_processes, hook_faults, manifest_errors;
    bool is_off, is_refused; /* by the store: left alone */
    /* Those alive of which recording is off by `off PID`: in `each` only. */
    struct session_process *off;
    int64_t off_count;
    char store[PATHS_MAX]; /* that it names; "": none */
};

/* Each "session-*" of `dir`. `each` returns 0 to go on. 0, its answer, or
 * -errno when the directory cannot be read. */
int sessions_each(const char *dir,
                  int (*each)(void *context, const struct session_info *s),
                  void *context) __attribute__((warn_unused_result));

/* Processes that share a session with `pid` and live, besides it: up to `most`
 * of them. Number of all, or -errno. */
int sessions_beside(const char *dir, uint32_t pid, uint32_t *pids, int most);
/* Switch recording on or off in all processes of all sessions, or of `pid`,
 * if not 0; `is_alone`: in no other one. Number of sessions, or -errno. */
int sessions_set_gate(const char *dir, uint32_t pid, bool open, bool *is_alone)
    __attribute__((warn_unused_result));
