/* SPDX-License-Identifier: Apache-2.0 */
/* Part of layout.h, which includes it: the table of processes. */
#pragma once
#include "lane/format/layout.h"

enum lane_process_state {
    LANE_PROCESS_NONE = 0,
    LANE_PROCESS_RUNS = 1,
    LANE_PROCESS_ENDED = 2, /* it said so itself: marker below is whole */
    LANE_PROCESS_FREE = 3,  /* [S] gone and stored: for the next generation */
};
/* Same numbers as enum lane_end below where they mean the same. */
enum lane_marker {
    LANE_MARKER_NONE = 0,
    LANE_MARKER_EXIT = 1,   /* exit, or return from main: code */
    LANE_MARKER__EXIT = 2,  /* _exit, quick_exit: code */
    LANE_MARKER_SIGNAL = 3, /* fatal signal: code is its number */
    LANE_MARKER_EXEC = 4,
    LANE_MARKER_ABORT = 5,
};
/* Why nothing of ours runs in what a process exec'ed: the trace goes no
 * further there. */
enum lane_lost {
    LANE_LOST_NOT = 0,        /* traced, or left to its own preload */
    LANE_LOST_STATIC = 1,     /* no dynamic loader */
    LANE_LOST_PRIVILEGED = 2, /* setuid, setgid, file capabilities */
    LANE_LOST_FOREIGN = 3,    /* another ELF class, machine or loader */
    LANE_LOST_CLEARED = 4,    /* its environment has no LD_PRELOAD of ours */
    LANE_LOST_ROOT = 5,       /* where it runs, the preload is no file */
    LANE_LOST_USER = 6,       /* another user, who may not use our directory */
};
struct lane_process {
    uint32_t state;      /* enum lane_process_state, release */
    uint32_t pid;        /* in its own namespace */
    uint64_t start_time; /* field 22 of /proc/PID/stat: names the process */
    uint32_t parent;     /* process number + 1 in this session, 0 none */
    uint32_t context;    /* index */
    uint64_t parent_ref; /* span that was open where it was forked */
    uint64_t t0_ticks;
    uint64_t t1_ticks; /* at the marker */
    uint32_t marker;   /* enum lane_marker */
    int32_t code;
    uint64_t cpu_ns;            /* since t0, at the marker; what was used before
                                   t0, as long as there is no marker */
    uint64_t peak_bytes;        /* at the marker: peak resident memory */
    uint64_t fault_address;     /* of a fatal signal */
    struct lane_string command; /* argv, NUL-separated */
    struct lane_string program; /* /proc/self/exe */
    char name[LANE_NAME_BYTES];
    struct lane_string target; /* of the exec that lost the trace */
    uint32_t lost;             /* enum lane_lost; before `state` */
    uint32_t generation;       /* of this place: owner.h */
};

/* What a process says of another one: how its child ended, and signals that it
 * sent. Of a process that could say nothing of its end itself, and whose own
 * session may be another one: it is named by its pid in the writer's namespace,
 * which is not given to another process before its parent has waited. */
enum lane_word_kind {
    LANE_WORD_ENDED = 1, /* wait() told it: value is the wait status */
    LANE_WORD_SENT = 2,  /* kill(): value is the signal */
};
struct lane_word {
    uint64_t ticks;
    int32_t pid; /* SENT: as kill() takes it, 0 and below: a group */
    uint32_t kind;
    int32_t value;
    uint32_t process;            /* number of the writer */
    uint64_t cpu_ns, peak_bytes; /* ENDED: of the child; 0 not told */
    uint64_t pad[2];
    uint64_t commit; /* entry number + 1, stored last */
};
_Static_assert(sizeof(struct lane_word) == 64, "file format");
_Static_assert(sizeof(struct lane_process) == 128, "file format");
_Static_assert(offsetof(struct lane_process, target) == 112, "file format");
