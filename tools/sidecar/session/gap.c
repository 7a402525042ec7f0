/* SPDX-License-Identifier: Apache-2.0 */
/* See gap.h. */
#include "tools/sidecar/session/gap.h"
#include <errno.h>
#include <string.h>
#include "lane/format/owner.h"
#include "lane/format/utf8.h"
#include "tools/sidecar/store/log.h"
#include "lane/format/assert.h"

/* What its own frame said is gone: the owner that it has now. */
static int thread_row(struct session *s, uint32_t lane,
                      const struct lane_head *head)
{
    lane_assert(lane < LANE_MAX);
    char name[LANE_NAME_BYTES * UTF8_GROWTH + 1];
    utf8_clean(head->name, strnlen(head->name, sizeof head->name), name,
               sizeof name, NULL);
    uint32_t who = LANE_OWNER_WHO(head->owner);
    s->lane[lane].generation = head->generation;
    s->lane[lane].process =
        who && who != LANE_OWNER_SIDECAR ? who - 1 : head->process;
    int rc =
        store_run(s->store, STORE_THREAD_SET, "iiiiit", s->id, (int64_t)lane,
                  (int64_t)head->generation, (int64_t)s->lane[lane].process,
                  (int64_t)head->tid, name);
    return rc < 0 ? rc : 0;
}

/* The first position from `position` on that still stands somewhere: aside, or
 * in the lane from `recycled` on. The first segment stands in the lane itself:
 * it is never given back, and read where the next one is there. */
static uint64_t first_there(const struct session *s, uint32_t lane,
                            uint64_t position, uint64_t recycled)
{
    uint64_t segment = position >> LANE_SEGMENT_SHIFT;
    uint64_t next = spool_next(s, lane, segment);
    if (next == segment || (segment == 0 && next == 1))
        return position;
    return (next < recycled ? next : recycled) << LANE_SEGMENT_SHIFT;
}

int gap_skip(struct session *s, uint32_t lane)
{
    lane_assert(lane < LANE_MAX);
    struct session_lane *l = &s->lane[lane];
    struct lane_head head;
    if (lane_reader_lane(&s->reader, lane, &head) != 0)
        return 0;
    uint64_t end = head.recycled << LANE_SEGMENT_SHIFT;
    if (head.recycled < 2 || head.recycled >= 1ULL << 28 ||
        l->log.position >= end || end > head.position)
        return 0;
    uint64_t first = first_there(s, lane, l->log.position, head.recycled);
    if (first == l->log.position)
        return 0;
    if (spool_was_written(s, lane, l->log.position >> LANE_SEGMENT_SHIFT))
        return -EALREADY;
    if (!s->has_gap)
        log_line("session '%s': the store does not have all that was taken "
                 "from it (deleted, or an older copy?); what is missing will "
                 "be counted as lost_store",
                 s->name);
    bool is_new = l->records == 0;
    l->log.position = first;
    s->has_gap = s->is_moved = true;
    int rc = store_run(s->store, STORE_SESSION_GAP, "i", s->id);
    return rc < 0 ? rc : is_new ? thread_row(s, lane, &head) : 0;
}

/* Begun in the lanes, less what has a row or stands in the counters. Threads
 * without a lane are in the counters alone, so with such it is at least that.
 */
int gap_count(struct session *s)
{
    int64_t begun = 0, known = 0;
    if (!s->has_gap)
        return 0;
    for (uint32_t i = 0; i < s->reader.header.lane_next; i++) {
        struct lane_head head;
        if (lane_reader_lane(&s->reader, i, &head) != 0)
            continue;
        begun += (int64_t)head.counter;
        known += (int64_t)s->lane[i].records;
    }
    for (uint32_t i = 1; i < s->reader.header.site_next; i++)
        known += s->site[i].counted ? (int64_t)s->site[i].counted->calls : 0;
    if (begun <= known)
        return 0;
    int rc = store_run(s->store, STORE_LOSS_SET, "iiti", s->id, (int64_t)0,
                       "lost_store", begun - known);
    return rc < 0 ? rc : 0;
}
