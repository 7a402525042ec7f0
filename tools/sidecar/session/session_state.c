/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What everybody asks a session: the process of a number, a site, a lane that
 * was not seen yet. Its header and tables are read anew where they are behind.
 */
#include "tools/sidecar/session/gap.h"
#include "tools/sidecar/session/session.h"
#include "lane/format/assert.h"

enum {
    LOOKS_MAX = 16, /* for the sake of one item, in a batch */
};

struct session_process *session_process_of(const struct session *s,
                                           uint32_t number)
{
    struct session_process *p = &s->process[LANE_PROCESS_SLOT(number)];
    return p->is_known && p->number == number ? p : NULL;
}

int session_begin_lane(struct session *s, uint32_t lane)
{
    lane_assert(lane < LANE_MAX && !s->lane[lane].is_open);
    struct session_lane *l = &s->lane[lane];
    int rc = lane_log_open(&l->log, &s->reader, lane, l->stored);
    if (rc != 0)
        return rc;
    l->log.aside = s->aside;
    rc = gap_skip(s, lane);
    if (rc != 0)
        return rc;
    l->is_open = true;
    l->stored = l->log.position;
    rc = store_start(s->store, STORE_THREAD_LAST, "ii", s->id, (int64_t)lane);
    while (rc > 0) {
        l->generation = (uint32_t)store_int(s->store, STORE_THREAD_LAST, 0);
        l->process = (uint32_t)store_int(s->store, STORE_THREAD_LAST, 1);
        rc = store_next(s->store, STORE_THREAD_LAST);
    }
    return rc;
}

int session_look_again(struct session *s)
{
    int rc = lane_reader_refresh(&s->reader);
    tables_look_again(s);
    if (rc == 0)
        rc = tables_sync(s);
    for (uint32_t i = 0; rc == 0 && i < s->reader.header.lane_next; i++)
        if (!s->lane[i].is_open)
            rc = session_begin_lane(s, i);
    return rc;
}

int session_knows_site(struct session *s, uint32_t site)
{
    if (site == 0 || site >= LANE_SITE_MAX)
        return 0;
    if (!s->site[site].is_known && s->looks < LOOKS_MAX) {
        s->looks++;
        int rc = session_look_again(s);
        if (rc != 0)
            return rc;
    }
    return site < s->reader.header.site_next && s->site[site].is_known;
}
