/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One session being drained. All that is here can be lost at any moment: it is
 * made anew from the store (cursors, pending frames) and the session file.
 */
#pragma once
#include <stdbool.h>
#include "lane/keeper/keeper.h"
#include "lane/format/owner.h"
#include "lane/reader/reader.h"
#include "tools/sidecar/store/clock.h"
#include "tools/sidecar/session/coverage.h"
#include "tools/sidecar/process/death.h"
#include "tools/sidecar/decode/decode.h"
#include "tools/sidecar/store/outbox.h"
#include "tools/sidecar/store/pending.h"
#include "tools/sidecar/store/rows.h"
#include "tools/sidecar/session/spool.h"
#include "tools/sidecar/store/store.h"
#include "tools/sidecar/store/totals.h"
#include "tools/sidecar/store/work.h"

enum {
    SESSION_NAME_MAX = 256,
};

struct session_lane {
    bool is_open;
    struct lane_log log;
    uint64_t stored; /* position up to which the store has it */
    uint64_t cursor; /* as its row says it; 0: there is none */
    uint64_t records, records_stored; /* spans that it has of it, in all */
    uint32_t generation, process; /* of the thread whose items come next: the
                                     number of its process */
    bool is_draining;
    bool is_waiting;     /* for the names of a stack */
    bool lost;           /* contradicts itself: not read any more */
    struct kept *kept;   /* kept.c; NULL: there was none yet */
    uint64_t kept_seen;  /* `kept_next` of the last look at them */
    uint32_t kept_count; /* that wait for their turn */
    uint64_t judged; /* owner word to be set free once all is stored; 0 none */
    uint64_t stuck_at;  /* position of an item that is not committed */
    uint64_t stuck_end; /* how far the writer was then */
    int64_t stuck_since_ns, dead_since_ns;
    uint64_t dead_ticks; /* the same moment */
};
struct session_process { /* a place in the table, by who has it now */
    bool is_known, is_stored, is_gone, is_ended;
    bool is_free;    /* nobody has it; after another one had it */
    uint32_t number; /* owner.h */
    struct lane_process entry;
    struct death death;
    int64_t gone_since_ns;
    uint64_t last_ticks; /* latest moment seen in its records */
    /* of an end that is not known exactly: between; 0 not known */
    uint64_t end_least_ticks, end_most_ticks;
    bool is_told;    /* its parent's word was found */
    bool is_ordered; /* ended by a signal that its own program sent to it */
    const char *ended_by, *calls_ended_by; /* set when it is gone */
};
struct session_site {
    bool is_known;
    bool is_root, is_internal;   /* internal: a watched function, no handler */
    int64_t slow_ns, overdue_ns; /* 0: no limit */
    bool may_stop;               /* its thread, when it is overdue */
    struct decode_site decode;
    struct decode_item *items;
    char name[512];
    struct lane_counter *counted; /* as far as it is in the totals; NULL: it
                                     was never looked for */
    bool counted_known, counted_stored;
};
struct session {
    char name[SESSION_NAME_MAX];
    int dir_fd;
    struct store *store;
    int64_t id; /* in the store */
    struct lane_reader reader;
    struct lane_keeper *keeper;     /* NULL: not mapped now */
    struct spool *spool;            /* NULL: there is none */
    const struct lane_aside *aside; /* the same, for its logs */
    struct clock clock;
    struct session_lane *lane;       /* LANE_MAX of them */
    struct session_process *process; /* LANE_PROCESS_MAX */
    struct session_site *site;       /* LANE_SITE_MAX */
    int64_t *trace;                  /* by context; 0: not known yet */
    uint32_t traces;
    struct pending_map pending;
    struct totals totals;
    struct coverage *coverage; /* NULL: not begun */
    struct outbox outbox;
    struct rows rows;
    struct work work;
    uint32_t next_lane; /* where the next batch begins */
    int64_t corrupt;    /* not stored yet */
    uint32_t looks;     /* at the tables for an item's sake, this batch */
    int64_t slow_at_ns, anchor_at_ns, anchor_step_ns, free_since_ns,
        batch_at_ns;
    uint32_t note_bytes, types_modules; /* types_fill.c */
    uint32_t words_seen;
    bool is_gate_known, is_off; /* as the gate was seen last */
    bool are_switches_known;
    uint32_t switches_seen; /* as far as they are in the store */
    uint64_t switches_lost; /* overwritten before they were seen */
    uint64_t process_off[LANE_PROCESS_MAX / 64];
    int64_t gone_since_ns; /* its last process; 0: some live, or not asked */
    struct decode_groups groups;
    char withheld[256]; /* why words are not kept; empty: they are */
    uint64_t loss_stored[24];
    bool has_lost;         /* records or values found no room */
    uint32_t again_seen;   /* process_again of the last look at free places */
    uint32_t ended_places; /* of processes that wait to be set free */
    bool has_ended;        /* stored by an earlier sidecar, lanes and all */
    bool is_boot_ours;     /* ticks of today mean something in it */
    bool is_service_known, is_loading_known;
    bool has_overdue;       /* a site has such a limit */
    uint32_t overdue_looks; /* at threads, this batch */
    bool has_gap;           /* the store knows less than was given back */
    bool is_committed;      /* something that is not given back yet */
    bool is_moved;          /* something new was drained in this batch */
    bool has_writer;        /* as far as was seen with the last batch */
    bool is_ended;          /* all stored, nobody maps it */
    bool is_refused;        /* the last batch: the store is in other hands */
    bool comes_back;        /* closed because of the store: tried again */
};

/* Why a session is left alone; for people. */
const char *session_trouble(int rc);

/* Begin with a session file. 0; -EAGAIN: its process is still making it;
 * other -errno: see session_trouble(), or the store's. */
int session_open(int dir_fd, const char *name, struct store *store,
                 struct session **out) __attribute__((warn_unused_result));
void session_close(struct session *session);

/*
 * Take what is new, store it in one transaction. Number of items, or -errno
 * (-EALREADY: another sidecar stored some of it): then nothing of the batch is
 * stored, and the session must be closed and opened again, but where
 * `is_refused` says that the store is in other hands: nothing was begun then,
 * and the next poll goes on. `finish`: nobody
 * waits for more (--once).
 */
int session_poll(struct session *session, int64_t now_ns)
    __attribute__((warn_unused_result));

/* What was committed is stored for good: give the room back. */
void session_give_back(struct session *session);
/* Is so much not given back that its program may wait for it? */
bool session_wants_room(const struct session *session);

/* ---- between the parts (tables.c, drain.c, finish.c) -------------------- */

/* Every byte that the lane's writer reserved, and every record beside them, was
 * read, as of the last look. */
static inline bool session_lane_is_read(const struct session_lane *l)
{
    return lane_log_at_end(&l->log) && l->kept_count == 0 &&
           l->log.head.kept_next == l->kept_seen;
}
/* What was taken of the records beside a lane's log is stored: their slots are
 * free. */
void session_free_kept(struct session *session, uint32_t lane);
/* The process of this number, NULL: it is stored, and its place another's. */
struct session_process *session_process_of(const struct session *session,
                                           uint32_t number);
/* Tables and lanes as they are now, not as the batch found them. */
/* Begin to read a lane: not `is_open` yet. */
int session_begin_lane(struct session *s, uint32_t lane)
    __attribute__((warn_unused_result));
int session_look_again(struct session *session)
    __attribute__((warn_unused_result));
/* Is this handler known, if need be after another look? Its item may be newer
 * than this batch. 1, 0 or -errno. */
int session_knows_site(struct session *session, uint32_t site)
    __attribute__((warn_unused_result));

/* Entries that are new in the tables, into the store. */
int tables_sync(struct session *session) __attribute__((warn_unused_result));
/* sites.c: the part of it for sites that are not known yet. */
int tables_sites(struct session *session) __attribute__((warn_unused_result));
/* The first process: from its exec until its first handler could run;
 * `is_over`: it has ended, there is no later look. */
int tables_loading(struct session *session, bool is_over)
    __attribute__((warn_unused_result));
/* Look at the places of processes that were set free in any case. */
void tables_look_again(struct session *session);
/* A place of the table is nobody's from now on. */
void tables_forget_process(struct session_process *process);
/* Its service and resource, once. 0 or -errno of the store. */
int service_sync(struct session *session) __attribute__((warn_unused_result));
/* Why the trace ends with what a process exec'ed, if it does. */
int tables_lost(struct session *session, const struct session_process *process)
    __attribute__((warn_unused_result));
/* Row of the trace of a context; <0: -errno. A context that is not there
 * counts as context 0. */
int64_t tables_trace(struct session *session, uint32_t *context,
                     uint64_t start_ticks);
/* Counters and losses. */
int tables_counters(struct session *session)
    __attribute__((warn_unused_result));
/* Hex build id of a module (index + 1), or "". */
void tables_build_id(const struct session *s, uint32_t module_plus_1, char *out,
                     size_t cap_bytes);
void tables_free(struct session *session);

/* Up to `most` items of a lane. Number or -errno (of the store). */
int drain_lane(struct session *session, uint32_t lane, uint32_t most,
               int64_t now_ns) __attribute__((warn_unused_result));
/* Spans that are open in a lane, as `status`; those younger than `age_ns`
 * are left out, and all of an owner whose thread was not met in the log yet, or
 * who is not `owner` (0: whoever has it). age_ns 0: they are over, since
 * `now_ticks` (0: nobody knows when). 0 or -errno. */
int drain_open(struct session *session, uint32_t lane, uint64_t owner,
               const char *status, const char *ended_by, int64_t age_ns,
               uint64_t now_ticks) __attribute__((warn_unused_result));
/* Spans that this process (number) began and never ended are unfinished since
 * its end. */
int drain_begun(struct session *session, uint32_t process, const char *ended_by,
                uint64_t end_ticks) __attribute__((warn_unused_result));
/* Forget what waits for spans of this lane that are not open any more. */
void drain_sweep(struct session *session, uint32_t lane);
/* Wall-clock name of an enum lane_end. */
const char *drain_end_name(uint32_t end);

/* Has somebody this session's file open or mapped for writing? Ours counts. */
bool session_is_written(int dir_fd, const char *name);
/* The signal that ended a process and of which the process itself said
 * nothing; 0: none, or not known. */
int session_died_by(const struct session_process *process);
/* Note when recording is switched off and on. 0 or -errno. */
int session_look_gate(struct session *session)
    __attribute__((warn_unused_result));
/* Is there a process that is gone, and its reaper has some time to tell how? */
bool finish_is_waiting(const struct session *session);
/* Processes and lanes that ended; sets is_ended. 0 or -errno. */
int finish_look(struct session *session, int64_t now_ns)
    __attribute__((warn_unused_result));
