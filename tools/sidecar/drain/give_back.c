/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is stored for good goes back to the program: the room in its lanes, the
 * lanes of the dead, the places of processes that ended. Never before the
 * commit of it, or kill -9 would lose what nobody has any more.
 */
#include "lane/format/assert.h"
#include "tools/sidecar/session/session.h"

enum {
    READY_UNITS = 2, /* of lane memory, beside one for each lane at work */
};

/* Does one of its processes live, as far as we know? */
static bool is_written(const struct session *s)
{
    for (uint32_t i = 0; i < s->reader.header.process_next; i++)
        if (s->process[i].is_known && !s->process[i].is_ended &&
            s->process[i].gone_since_ns == 0)
            return true;
    return false;
}

/* Places of processes that are stored, and whose lanes are free. */
static void free_places(struct session *s)
{
    lane_assert(s->keeper != NULL && !s->keeper->broken);
    static bool is_owner[LANE_PROCESS_MAX];
    lane_keeper_owners(s->keeper, &s->reader, is_owner);
    for (uint32_t i = 1; i < s->reader.header.process_next; i++) {
        struct session_process *p = &s->process[i];
        if (!p->is_ended || is_owner[i])
            continue;
        lane_keeper_free_process(s->keeper, p->number);
        lane_assert(s->ended_places != 0);
        tables_forget_process(p);
        s->ended_places--;
    }
}

/* Only now that all is stored. */
static void give_back(struct session *s)
{
    uint32_t active = 0;
    if (!s->keeper || s->keeper->broken)
        return;
    for (uint32_t i = 0; i < s->reader.header.lane_next; i++) {
        struct session_lane *l = &s->lane[i];
        if (!l->is_open || l->lost)
            continue;
        lane_assert(l->log.position >= l->stored);
        if (l->log.position != l->stored)
            active++;
        l->stored = l->log.position;
        l->records_stored = l->records;
        /* never set up: where the file system is full it has no page, and
         * to touch one would be a SIGBUS */
        if (l->log.head.limit == 0)
            continue;
        session_free_kept(s, i);
        spool_trim(s, i, l->stored);
        lane_keeper_advance(s->keeper, i, l->stored);
        if (l->judged)
            (void)lane_keeper_free(s->keeper, i, l->judged);
        l->judged = 0;
    }
    if (s->ended_places)
        free_places(s);
    s->has_writer = is_written(s);
    if (active && s->has_writer)
        lane_keeper_top_up(s->keeper, active < 8 ? active + READY_UNITS : 8);
    if (!s->has_writer)
        lane_keeper_rest(s->keeper);
    spool_tidy(s);
}

void session_give_back(struct session *s)
{
    spool_lock();
    if (s->is_committed)
        give_back(s);
    spool_unlock();
    s->is_committed = false;
}

bool session_wants_room(const struct session *s)
{
    uint64_t segments = 0;
    for (uint32_t i = 0; i < s->reader.header.lane_next; i++)
        if (s->lane[i].is_open && !s->lane[i].lost)
            segments += (s->lane[i].log.position >> LANE_SEGMENT_SHIFT) -
                        (s->lane[i].stored >> LANE_SEGMENT_SHIFT);
    return segments > s->reader.header.unit_max / 4;
}
