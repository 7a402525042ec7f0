/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sidecar changes in a session: how far it read, units given back,
 * lanes of dead threads set free, anchors. One sidecar at a time (it holds the
 * lock of the directory), single-threaded. It may be killed between any two
 * instructions; the next one begins with lane_keeper_open().
 *
 * The file is mapped for that, and somebody may cut it short: a SIGBUS handler
 * puts an empty page where ours is gone and marks the keeper broken.
 */
#pragma once
#include "lane/reader/reader.h"
#include "lane/writer/session.h"

struct lane_keeper {
    struct lane_map map;
    uint32_t unit_max;   /* validated */
    uint32_t unit_real;  /* units below have pages */
    uint32_t minor;      /* of the session's layout */
    bool has_lost;       /* a unit may be in nobody's place: looked for when
                            nobody takes one */
    volatile int broken; /* the file is not what it was: stop using it */
};

/* Install the SIGBUS handler of this process. Once. 0 or -errno. */
int lane_keeper_guard(void);
/* Map the session that `reader` reads, finish what a killed predecessor had
 * begun. The keeper must not move while it is open; at most 1024 are. */
int lane_keeper_open(struct lane_keeper *keeper, int dir_fd, const char *name,
                     const struct lane_reader *reader)
    __attribute__((warn_unused_result));
void lane_keeper_close(struct lane_keeper *keeper);
/* Is it ours still? False: another process opened the session after us, by a
 * lock that did not keep us apart; then this one must leave it alone. */
bool lane_keeper_is_ours(const struct lane_keeper *keeper);

/* Leave the session alone, say so to who looks at it; until it is opened anew.
 */
void lane_keeper_refuse(struct lane_keeper *keeper);

/* Everything of `lane` below `tail` is stored for good: move its tail and
 * give the units of whole segments below it back. */
void lane_keeper_advance(struct lane_keeper *keeper, uint32_t lane,
                         uint64_t tail);
/* The same of segments below `before` that are not stored, but kept elsewhere:
 * the tail stays. Fewer, where the queue of units has no room: lane.recycled
 * says how many. */
void lane_keeper_recycle(struct lane_keeper *keeper, uint32_t lane,
                         uint64_t before);
/* Units that were taken, ever: no more segments than that are full. */
uint32_t lane_keeper_units(const struct lane_keeper *keeper);
/* Full segments of this lane that were not given back (aside.c). */
uint64_t lane_keeper_behind(const struct lane_keeper *keeper, uint32_t lane);
/* The oldest of them, LANE_SEGMENT bytes in the mapping, if every item in it is
 * committed and the queue of units has room; NULL: not now. Nobody writes to it
 * until it is given back. */
const uint8_t *lane_keeper_oldest(const struct lane_keeper *keeper,
                                  uint32_t lane, uint64_t *segment);
/* Lanes that there may be, made or not. */
uint32_t lane_keeper_lanes(const struct lane_keeper *keeper);
/* Was this lane set up? One that was not has no page, perhaps. */
bool lane_keeper_is_made(const struct lane_keeper *keeper, uint32_t lane);
/* Tell the writers whether room comes soon: lane_session.spool. */
void lane_keeper_promise(struct lane_keeper *keeper, bool is_soon);
/* A record of lane->kept[] whose commit word was `commit` is stored: its slot
 * is the writer's again. */
void lane_keeper_free_kept(struct lane_keeper *keeper, uint32_t lane,
                           uint32_t slot, uint64_t commit);
/* See that `want` units lie ready or have at least their pages, as far as the
 * budget goes. */
void lane_keeper_top_up(struct lane_keeper *keeper, uint32_t want);
/* Nobody writes now: let go of the pages that were touched (of this process;
 * the file has them). */
void lane_keeper_rest(struct lane_keeper *keeper);
/* The owner of this lane, whose word was `judged` when it was found dead, has
 * its log read to the end and its open spans stored: set the lane free. False:
 * somebody has it by now, or it is of a minor version before LANE_MINOR_OWNER,
 * whose lanes stay with their owners. */
bool lane_keeper_free(struct lane_keeper *keeper, uint32_t lane,
                      uint64_t judged);
/* The process of this number is gone and stored, and no lane is its own: set
 * its place free for another one. */
void lane_keeper_free_process(struct lane_keeper *keeper, uint32_t number);
/* Does a lane belong to this process, by its owner word? Of each one at once:
 * `is_owner` has LANE_PROCESS_MAX entries, by place. */
void lane_keeper_owners(const struct lane_keeper *keeper,
                        const struct lane_reader *reader, bool *is_owner);
