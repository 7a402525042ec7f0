/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session from its first look to its end: see session.h. The order in a
 * batch is what makes kill -9 harmless: rows, cursors and what waits for its
 * record go into one transaction; only after its commit the lanes' tails move
 * and their room is given back.
 */
#define _GNU_SOURCE
#include "tools/sidecar/session/session.h"
#include "tools/sidecar/session/gap.h"
#include "tools/sidecar/drain/overdue.h"
#include "tools/sidecar/session/setup.h"
#include "tools/sidecar/session/types_fill.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LANE_ITEMS = 8192, /* of one lane in a batch */
    BATCH_ITEMS = 32768,
    SLOW_NS = 20000000,  /* ends are looked for so often */
    OPEN_NS = 200000000, /* open for longer: shown while open */
    ANCHOR_FIRST_NS = 10000000,
    ANCHOR_MOST_NS = 1000000000,
    HELD_NS =
        50000000, /* between commits while a reader holds the store's log */
    HELD_BYTES = 256 << 10, /* unless so much waits in a lane */
};

const char *session_trouble(int rc)
{
    switch (rc) {
    case -EPROTONOSUPPORT:
        return "another version of the layout: use the handspan that wrote it";
    case -EBADMSG:
        return "not a whole session file; remove it if nobody needs it";
    case -EEXIST:
        return "its key belongs to another session";
    case -EAGAIN:
        return "empty: its process died before it was made";
    default:
        return strerror(-rc);
    }
}

/* ---- open ---------------------------------------------------------------- */

static int session_row(struct session *s)
{
    lane_assert(s->store != NULL && s->reader.header.key != 0);
    char host[256] = "?", boot[33];
    uint8_t key[8];
    (void)gethostname(host, sizeof host - 1);
    for (int i = 0; i < 16; i++)
        snprintf(boot + i * 2, 3, "%02x", s->reader.header.boot_id[i]);
    for (int i = 0; i < 8; i++)
        key[i] = (uint8_t)(s->reader.header.key >> (56 - i * 8));
    int rc = store_run(s->store, STORE_SESSION_ADD, "bttti", (const void *)key,
                       sizeof key, s->name, host, boot,
                       clock_unix_ns(&s->clock, s->clock.first.tick));
    if (rc >= 0)
        rc = store_start(s->store, STORE_SESSION_FIND, "b", (const void *)key,
                         sizeof key);
    if (rc <= 0)
        return rc < 0 ? rc : -EIO;
    size_t len;
    s->id = store_int(s->store, STORE_SESSION_FIND, 0);
    const char *file = store_blob(s->store, STORE_SESSION_FIND, 1, &len);
    bool same =
        file && len == strlen(s->name) && memcmp(file, s->name, len) == 0;
    const char *state = store_blob(s->store, STORE_SESSION_FIND, 2, &len);
    s->is_ended = state && len == 5 && memcmp(state, "ended", 5) == 0;
    s->has_gap = store_int(s->store, STORE_SESSION_FIND, 3) != 0;
    rc = store_next(s->store, STORE_SESSION_FIND);
    return rc < 0 ? rc : same ? 0 : -EEXIST;
}

static int cursors_load(struct session *s)
{
    int rc = store_start(s->store, STORE_CURSOR_ALL, "i", s->id);
    while (rc > 0) {
        int64_t lane = store_int(s->store, STORE_CURSOR_ALL, 0);
        if (lane >= 0 && lane < LANE_MAX) {
            struct session_lane *l = &s->lane[lane];
            l->stored = l->cursor =
                (uint64_t)store_int(s->store, STORE_CURSOR_ALL, 1);
            l->records = l->records_stored =
                (uint64_t)store_int(s->store, STORE_CURSOR_ALL, 2);
        }
        rc = store_next(s->store, STORE_CURSOR_ALL);
    }
    return rc;
}

/* A process that an earlier sidecar stored: is its place still its own? */
static void ended_note(struct session *s, int64_t number)
{
    struct lane_process entry;
    uint32_t slot = LANE_PROCESS_SLOT(number);
    if (number < 0 || number > INT32_MAX ||
        lane_reader_entry(&s->reader, LANE_TABLE_PROCESSES, slot, &entry) !=
            0 ||
        entry.generation != LANE_PROCESS_GENERATION(number) ||
        entry.state == LANE_PROCESS_FREE)
        return;
    s->process[slot] = (struct session_process){
        .is_known = true,
        .is_stored = true,
        .is_gone = true,
        .is_ended = true,
        .number = (uint32_t)number,
        .death.pidfd = -1,
    };
    s->ended_places += slot != 0;
    s->has_ended = true;
}

static int ended_load(struct session *s)
{
    int rc = store_start(s->store, STORE_PROCESS_ENDED, "i", s->id);
    while (rc > 0) {
        ended_note(s, store_int(s->store, STORE_PROCESS_ENDED, 0));
        rc = store_next(s->store, STORE_PROCESS_ENDED);
    }
    return rc;
}

static int keeper_open(struct session *s)
{
    lane_assert(s->keeper == NULL && s->reader.fd >= 0);
    s->keeper = calloc(1, sizeof *s->keeper);
    if (!s->keeper)
        return -ENOMEM;
    int rc = lane_keeper_open(s->keeper, s->dir_fd, s->name, &s->reader);
    if (rc != 0) {
        free(s->keeper);
        s->keeper = NULL;
    }
    return rc;
}

static int session_begin(struct session *s)
{
    int rc = spool_open(s);
    rc = rc == 0 ? keeper_open(s) : rc;
    if (rc != 0)
        return rc;
    s->is_boot_ours = setup_boot_is_ours(s->reader.header.boot_id);
    if (s->is_boot_ours)
        lane_anchor_put(&s->keeper->map, 0);
    rc = lane_reader_refresh(&s->reader);
    clock_init(&s->clock, s->reader.header.clock);
    if (rc == 0)
        rc = clock_read(&s->clock, &s->reader);
    if (rc != 0)
        return rc;
    s->clock.used = true;
    s->anchor_step_ns = ANCHOR_FIRST_NS;
    rc = store_begin(s->store);
    if (rc == 0)
        rc = session_row(s);
    if (rc == 0)
        rc = cursors_load(s);
    if (rc == 0)
        rc = ended_load(s);
    if (rc == 0)
        rc = pending_load(&s->pending, s->store, s->id);
    if (rc == 0)
        rc = store_commit(s->store);
    if (rc != 0)
        store_rollback(s->store);
    return rc == 0 ? spool_read(s) : rc;
}

int session_open(int dir_fd, const char *name, struct store *store,
                 struct session **out)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->reader.fd = -1;
    s->dir_fd = dir_fd;
    s->store = store;
    snprintf(s->name, sizeof s->name, "%s", name);
    s->lane = calloc(LANE_MAX, sizeof *s->lane);
    s->process = calloc(LANE_PROCESS_MAX, sizeof *s->process);
    s->site = calloc(LANE_SITE_MAX, sizeof *s->site);
    int rc = -ENOMEM;
    if (s->lane && s->process && s->site && pending_init(&s->pending) == 0 &&
        totals_init(&s->totals) == 0)
        rc = lane_reader_open(&s->reader, dir_fd, name);
    if (rc == 0)
        rc = session_begin(s);
    if (rc != 0) {
        session_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void session_close(struct session *s)
{
    if (!s)
        return;
    spool_close(s);
    if (s->keeper)
        lane_keeper_close(s->keeper);
    free(s->keeper);
    for (uint32_t i = 0;
         s->lane && i < s->reader.header.lane_next && i < LANE_MAX; i++)
        if (s->lane[i].is_open) {
            lane_log_close(&s->lane[i].log);
            free(s->lane[i].kept);
        }
    free(s->lane);
    tables_free(s);
    clock_free(&s->clock);
    if (s->pending.chain)
        pending_free(&s->pending);
    totals_free(&s->totals);
    rows_free(&s->rows);
    coverage_free(s->coverage);
    lane_reader_close(&s->reader);
    free(s);
}

/* ---- a batch ------------------------------------------------------------- */

static int lanes_drain(struct session *s, int64_t now_ns)
{
    uint32_t count = s->reader.header.lane_next;
    int items = 0;
    for (uint32_t i = 0; i < count && items < BATCH_ITEMS; i++) {
        uint32_t lane = (s->next_lane + i) % count;
        int rc = s->lane[lane].is_open ? 0 : session_begin_lane(s, lane);
        if (rc == 0)
            rc = drain_lane(s, lane, LANE_ITEMS, now_ns);
        if (rc < 0)
            return rc;
        items += rc;
        if (items >= BATCH_ITEMS)
            s->next_lane = lane + 1;
    }
    return items;
}

static int rows_save(struct session *s)
{
    int rc = rows_flush(&s->rows, s->store);
    s->corrupt += s->rows.refused; /* counted as calls already */
    s->rows.refused = 0;
    return rc;
}

/* What need not be done at each look. */
static int slow_part(struct session *s, int64_t now_ns)
{
    if (now_ns < s->slow_at_ns)
        return 0;
    s->slow_at_ns = now_ns + SLOW_NS;
    int rc = tables_counters(s);
    if (rc != 0)
        return rc;
    if (s->is_boot_ours && s->keeper) {
        uint64_t now = lane_now(&s->keeper->map);
        /* what is judged has ended, and stands there until the place is free */
        for (uint32_t i = 0; rc == 0 && i < s->reader.header.lane_next; i++)
            if (s->lane[i].is_open && !s->lane[i].lost && !s->lane[i].judged)
                rc = drain_open(s, i, 0, "open", NULL, OPEN_NS, now);
        if (rc == 0 && s->has_overdue)
            rc = overdue_look_begun(s, now);
    }
    if (rc == 0)
        rc = coverage_look(s, now_ns);
    types_fill_look(s);
    if (rc == 0)
        rc = session_look_gate(s);
    return rc == 0 ? finish_look(s, now_ns) : rc;
}

static bool has_moved(const struct session_lane *l)
{
    uint64_t from = l->cursor ? l->cursor : (uint64_t)LANE_FIRST_POSITION;
    return l->is_open &&
           (l->log.position != from || l->records != l->records_stored);
}

static int cursors_save(struct session *s)
{
    int rc = 1;
    for (uint32_t i = 0; rc > 0 && i < s->reader.header.lane_next; i++) {
        const struct session_lane *l = &s->lane[i];
        if (!has_moved(l))
            continue;
        lane_assert(l->log.position >= l->cursor &&
                    l->records >= l->records_stored);
        int64_t position = (int64_t)l->log.position;
        int64_t records = (int64_t)l->records;
        rc = l->cursor
                 ? store_run(s->store, STORE_CURSOR_MOVE, "iiiii", s->id,
                             (int64_t)i, position, records, (int64_t)l->cursor)
                 : store_run(s->store, STORE_CURSOR_ADD, "iiii", s->id,
                             (int64_t)i, position, records);
    }
    return rc < 0 ? rc : rc == 0 ? -EALREADY : 0;
}

/* They are committed. */
static void cursors_note(struct session *s)
{
    lane_assert(s->reader.header.lane_next <= LANE_MAX);
    for (uint32_t i = 0; i < s->reader.header.lane_next; i++)
        if (has_moved(&s->lane[i]))
            s->lane[i].cursor = s->lane[i].log.position;
}

static int batch_save(struct session *s, int64_t now_ns)
{
    int rc = rows_save(s);
    if (rc == 0)
        rc = totals_flush(&s->totals, s->store, s->id);
    rc = rc == 0 ? work_flush(&s->work, s->store) : rc;
    if (rc == 0 && !s->is_ended)
        rc = pending_save(&s->pending, s->store, s->id);
    if (rc == 0)
        rc = cursors_save(s);
    static const enum store_statement last[] = {
        STORE_SESSION_END,        STORE_SESSION_END_CURSORS,
        STORE_SESSION_END_FRAMES, STORE_SESSION_END_COUNTERS,
        STORE_SESSION_END_OPEN,   STORE_SESSION_END_ORIGINS,
    };
    unsigned count = sizeof last / sizeof *last;
    if (rc == 0 && s->is_ended)
        rc = gap_count(s);
    for (unsigned i = 0; s->is_ended && rc >= 0 && i < count; i++) {
        rc = store_run(s->store, last[i], "i", s->id);
        if (rc == 0 && last[i] == STORE_SESSION_END)
            rc = -EALREADY;
    }
    if (rc >= 0)
        rc = outbox_save(&s->outbox, s->store, s->id, now_ns,
                         s->is_moved || s->is_ended, s->is_ended);
    if (rc >= 0)
        rc = store_commit(s->store);
    if (rc == 0)
        cursors_note(s);
    return rc;
}

/* Is there anything to do before the next slow look? Without a transaction. */
static bool is_news(struct session *s)
{
    const struct lane_session *h = &s->reader.header;
    struct lane_session before = *h;
    if (lane_reader_refresh(&s->reader) != 0 ||
        before.process_next != h->process_next ||
        before.process_again != h->process_again ||
        before.site_next != h->site_next || before.lane_next != h->lane_next)
        return true;
    for (uint32_t i = 0; i < h->lane_next; i++)
        if (!s->lane[i].is_open ||
            (!s->lane[i].lost && (lane_log_look(&s->lane[i].log) != 0 ||
                                  !session_lane_is_read(&s->lane[i]))))
            return true;
    return false;
}

/* Better wait for more: each commit makes a log that a reader holds larger. */
static bool is_better_later(const struct session *s, int64_t now_ns)
{
    if (!store_is_held(s->store) || now_ns - s->batch_at_ns >= HELD_NS)
        return false;
    for (uint32_t i = 0; i < s->reader.header.lane_next; i++)
        if (s->lane[i].is_open &&
            s->lane[i].log.head.position > s->lane[i].stored + HELD_BYTES)
            return false;
    return true;
}

static void anchor_and_sample(struct session *s, int64_t now_ns)
{
    if (!s->keeper || s->keeper->broken || now_ns < s->anchor_at_ns)
        return;
    s->anchor_at_ns = now_ns + s->anchor_step_ns;
    if (s->anchor_step_ns < ANCHOR_MOST_NS)
        s->anchor_step_ns *= 2;
    if (s->is_boot_ours)
        lane_anchor_put(&s->keeper->map, 0);
    for (uint32_t i = 0; i < s->reader.header.process_next; i++)
        if (s->process[i].is_known && !s->process[i].is_ended)
            death_sample(&s->process[i].death);
    for (uint32_t i = 0; i < s->reader.header.lane_next; i++)
        if (s->lane[i].is_open && session_lane_is_read(&s->lane[i]))
            drain_sweep(s, i);
}

static int batch(struct session *s, int64_t now_ns)
{
    int rc = lane_reader_refresh(&s->reader);
    if (rc == 0)
        rc = clock_read(&s->clock, &s->reader);
    if (rc == 0) {
        rc = store_begin(s->store);
        s->is_refused = rc == -EBUSY;
    }
    if (rc == 0)
        rc = tables_sync(s);
    int items = rc == 0 ? lanes_drain(s, now_ns) : rc;
    if (items < 0)
        return items;
    rc = rows_save(s); /* what looks for open ones finds them final */
    rc = rc ? rc : slow_part(s, now_ns);
    if (rc < 0)
        return rc;
    s->is_moved |= store_is_changed(s->store);
    if (!s->is_moved && !s->is_ended && !outbox_is_due(&s->outbox, now_ns)) {
        store_rollback(s->store); /* nothing was written */
        return 0;
    }
    rc = batch_save(s, now_ns);
    return rc < 0 ? rc : items > 0 ? items : 1;
}

int session_poll(struct session *s, int64_t now_ns)
{
    if (s->is_ended)
        return 0;
    lane_assert(s->id != 0 && s->store != NULL);
    if (!s->keeper && s->reader.header.file_bytes && now_ns >= s->slow_at_ns) {
        int rc = keeper_open(s);
        if (rc != 0)
            return rc;
        spool_attach(s);
    }
    if (s->keeper && !lane_keeper_is_ours(s->keeper))
        return -EALREADY;
    if (now_ns < s->slow_at_ns && !is_news(s))
        return 0;
    if (is_better_later(s, now_ns))
        return 0;
    s->batch_at_ns = now_ns;
    spool_wake(false);
    anchor_and_sample(s, now_ns);
    s->is_moved = false;
    s->is_refused = false;
    s->looks = s->overdue_looks = 0;
    int rc = batch(s, now_ns);
    if (rc < 0) {
        store_rollback(s->store);
        s->is_ended = false;
        return rc;
    }
    if (rc > 0 && !store_is_there(s->store)) {
        s->is_ended = false;
        return -ESTALE;
    }
    s->is_committed |= rc > 0;
    if (s->keeper && s->keeper->broken)
        return -EBADMSG;
    return rc;
}
