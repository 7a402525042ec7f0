/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See round.h. What goes wrong with a session, or with the store, is told once,
 * and tried again or left alone here; the sessions' files wait meanwhile.
 */
#define _GNU_SOURCE
#include "tools/sidecar/round.h"
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "lane/format/assert.h"
#include "tools/sidecar/command.h"
#include "tools/sidecar/session/session.h"
#include "tools/sidecar/store/log.h"
#include "tools/sidecar/store/trouble.h"

enum {
    UNMADE_NS = 2000000000, /* a session file that never became whole */
    STORE_TRIES = 6,        /* in a row, with doubling pauses from 100 ms */
    REFUSED_TRIES = 3,      /* a rival may have been in between */
    HURRIED_MAX = 16,       /* sessions; each look at more of them costs more */
    SYNC_NS = 100000000,    /* where a directory outlives the machine */
    ALONE_TOLD = 20,        /* sessions left alone that are named in the log */
    RIVAL_NS = 1000000000,
    BUSY_RETRY_NS = 100000000,
};
static const int64_t slow_maker_ns = 60000000000; /* its process lives */
static const int64_t busy_count_ns = 5000000000;  /* is one failure */

int64_t round_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void entry_close(struct entry *e)
{
    session_close(e->session);
    e->session = NULL;
}

static void entry_trouble(struct sidecar *c, struct entry *e, int rc,
                          const char *why)
{
    lane_assert(rc < 0 && e->session == NULL && e->list == ENTRY_LIVE);
    if (rc == -EAGAIN && setup_maker_is_dead(e->name)) {
        unlinkat(c->dir_fd, e->name, 0);
        return;
    }
    entries_move(&c->entries, e, ENTRY_ALONE);
    uint32_t count = c->entries.count[ENTRY_ALONE];
    if (count <= ALONE_TOLD)
        log_line("session '%s/%s' is left alone: %s", c->dir, e->name, why);
    else if (count == ALONE_TOLD + 1)
        log_line("more sessions in '%s' are left alone: handspan status",
                 c->dir);
}

/* A constraint of the store's does not take what this session has. The others
 * go on; its file stays, for a later sidecar. */
static int refused(struct sidecar *c, struct entry *e)
{
    bool is_last = ++e->refusals >= REFUSED_TRIES;
    lane_assert(store_why(c->store)[0] != 0 && !e->is_stored);
    if (is_last && e->session && e->session->keeper)
        lane_keeper_refuse(e->session->keeper);
    entry_close(e);
    if (is_last)
        entry_trouble(c, e, -EEXIST, store_why(c->store));
    store_forget(c->store);
    return 1;
}

/* What stands still, and why: into the log once, beside the sessions as long as
 * it holds. */
static void trouble(struct sidecar *c, const char *why, const char *hope)
{
    lane_assert(why[0] != 0 && c->dir_fd >= 0);
    if (c->store_failures == 0)
        log_line("%s; %s '%s'", why, hope, c->dir);
    trouble_set(c->dir_fd, why);
    c->is_told = true;
}

/* Whoever records now relies on us: nobody would start another sidecar when
 * there is space again. */
static bool is_needed(const struct sidecar *c)
{
    bool is = c->stay;
    const struct entry *e;
    TAILQ_FOREACH(e, &c->entries.list[ENTRY_LIVE], of_list)
    is = is || (!c->once && session_is_written(c->dir_fd, e->name));
    return is;
}

/* A store in other hands is asked often: as long as SQLite would have waited
 * for it is one failure. */
static void count_failure(struct sidecar *c, int rc, int64_t now_ns)
{
    lane_assert(rc < 0 && c->store_failures >= 0);
    if (rc == -EBUSY && c->store_failures > 0 &&
        now_ns - c->busy_at_ns < busy_count_ns)
        return;
    c->busy_at_ns = now_ns;
    if (++c->store_failures >= STORE_TRIES && !is_needed(c))
        c->is_hopeless = true;
}

static void retry_later(struct sidecar *c, struct entry *e, int rc,
                        int64_t now_ns)
{
    lane_assert(e->session == NULL && c->store_failures >= 0);
    int doubled = c->store_failures < 6 ? c->store_failures : 6;
    e->retry_at_ns = now_ns + (100000000LL << doubled);
    count_failure(c, rc, now_ns);
}

/* The store refused. Longer and longer pauses; all that was not committed is
 * still in the session files. A later version will not go away. */
static int store_trouble(struct sidecar *c, struct entry *e, int rc,
                         int64_t now_ns)
{
    bool is_final = rc == -EPROTONOSUPPORT;
    if (rc == -EEXIST)
        return refused(c, e);
    trouble(c, store_why(c->store),
            is_final ? "the sessions wait in"
                     : "trying again, what was recorded stays in");
    store_forget(c->store);
    if (e->session)
        e->session->comes_back = true;
    entry_close(e);
    c->is_hopeless |= is_final;
    retry_later(c, e, rc, now_ns);
    return 0;
}

/* Others write to it for long, or have it open for reading: nothing was begun,
 * so the session stays open, and its spool takes what is recorded meanwhile. */
static int store_is_busy(struct sidecar *c, struct entry *e, int64_t now_ns)
{
    e->retry_at_ns = now_ns + BUSY_RETRY_NS;
    trouble(c, store_why(c->store), "trying again, what was recorded stays in");
    count_failure(c, -EBUSY, now_ns);
    store_forget(c->store);
    return 0;
}

/* Another sidecar drains it as well (a lock that does not hold on this file
 * system): what it has stored is left to it. */
static int rival_met(struct sidecar *c, struct entry *e, int64_t now_ns)
{
    if (!e->has_rival)
        log_line("session '%s/%s' is drained by another sidecar, too", c->dir,
                 e->name);
    e->has_rival = true;
    entry_close(e);
    e->retry_at_ns = now_ns + RIVAL_NS;
    return 0;
}

/* Not enough of something for a session (a limit that a traced program handed
 * on): to sit here with the lock would keep away a sidecar that has more. */
static int limit_trouble(struct sidecar *c, const char *why)
{
    trouble(c, why, "the sessions wait in");
    c->store_failures = STORE_TRIES;
    c->is_hopeless = true;
    return 0;
}

/* It cannot be opened, or goes on no more. */
static int entry_failed(struct sidecar *c, struct entry *e, int rc,
                        int64_t now_ns)
{
    lane_assert(rc < 0 && !e->is_stored);
    if (store_why(c->store)[0])
        return store_trouble(c, e, rc, now_ns);
    entry_close(e);
    if (rc == -ENOMEM)
        return limit_trouble(c, TROUBLE_MEMORY);
    if (rc != -EMFILE && rc != -ENFILE)
        entry_trouble(c, e, rc, session_trouble(rc));
    else if (!entries_any_open(&c->entries)) /* they might give theirs back */
        return limit_trouble(c, TROUBLE_FILES);
    return 0;
}

static void trouble_over(struct sidecar *c)
{
    if (c->store_failures)
        log_line("the store '%s' takes it again", c->store_path);
    c->store_failures = 0;
    if (c->is_told)
        trouble_clear(c->dir_fd);
    c->is_told = false;
}

/* The store is open only while there are sessions. What is wrong with it now
 * will be so in a second, too, but for a full disk: give up, the sessions
 * wait. */
int round_store_ready(struct sidecar *c)
{
    char why[PATHS_MAX + 512];
    if (c->store)
        return 0;
    int rc = store_open(c->store_path, &c->store, why, sizeof why);
    if (rc != 0) {
        trouble(c, why, "the sessions wait in");
        c->is_hopeless |= rc != -ENOSPC && rc != -EBUSY;
        return rc;
    }
    c->is_durable = setup_is_durable(c->dir_fd);
    trouble_over(c);
    return 0;
}

static int entry_open(struct sidecar *c, struct entry *e, int64_t now_ns)
{
    if (e->is_stored || now_ns < e->retry_at_ns)
        return 0;
    int rc = round_store_ready(c);
    if (rc != 0) {
        retry_later(c, e, rc, now_ns);
        return 0;
    }
    e->busy_at_ns = now_ns;
    lane_assert(e->session == NULL && c->store != NULL);
    rc = session_open(c->dir_fd, e->name, c->store, &e->session);
    if (rc == 0 || rc == -ENOENT)
        return rc == 0;
    if (rc == -EALREADY)
        return rival_met(c, e, now_ns);
    e->retry_at_ns = now_ns + ROUND_SCAN_NS;
    bool is_slow = !c->once && setup_maker_lives(e->name);
    if (rc == -EAGAIN &&
        now_ns - e->seen_at_ns < (is_slow ? slow_maker_ns : UNMADE_NS))
        return 0;
    return entry_failed(c, e, rc, now_ns);
}

/* The file goes last: who waits for that finds the store whole, in one file and
 * nobody's. */
static void unlink_stored(struct sidecar *c)
{
    struct entry *e, *next;
    bool all = c->entries.count[ENTRY_BACKLOG] == 0;
    TAILQ_FOREACH(e, &c->entries.list[ENTRY_LIVE], of_list)
    all = all && e->is_stored;
    if (all) {
        store_close(c->store);
        c->store = NULL;
    }
    for (e = TAILQ_FIRST(&c->entries.list[ENTRY_LIVE]); e; e = next) {
        next = TAILQ_NEXT(e, of_list);
        if (!e->is_stored)
            continue;
        lane_assert(e->session == NULL && !c->has_commits);
        (void)unlinkat(c->dir_fd, e->name, 0);
        entries_forget(&c->entries, e);
    }
}

/* What was committed in this round is stored for good: lanes get their room,
 * files of sessions that ended go. Where the directory outlives a crash of the
 * machine, not before the store's log is on the disk, for which commits of some
 * rounds wait together, but for lanes that run short. */
static void settle(struct sidecar *c)
{
    bool is_due = !c->is_durable || round_now() - c->synced_at_ns >= SYNC_NS;
    struct entry *e;
    if (!c->has_commits)
        return;
    TAILQ_FOREACH(e, &c->entries.list[ENTRY_LIVE], of_list)
    is_due = is_due || (e->session && session_wants_room(e->session));
    if (!is_due)
        return;
    if (c->is_durable && c->store && store_sync(c->store) != 0) {
        trouble(c, store_why(c->store), "what was recorded stays in");
        store_forget(c->store);
        return;
    }
    c->synced_at_ns = round_now();
    c->has_commits = false;
    TAILQ_FOREACH(e, &c->entries.list[ENTRY_LIVE], of_list)
    if (e->session)
        session_give_back(e->session);
    unlink_stored(c);
}

int round_uploads_start(struct sidecar *c)
{
    const int ours[] = {c->lock_fd, c->dir_fd, -1};
    return setup_uploads(c->uploads.text[0] ? c->uploads.text : NULL,
                         c->store_path, ours, ROUND_UPLOAD_MS, &c->upload);
}

/* Somebody took the store away. What was not given back to the lanes goes into
 * the one that is there now. */
static int store_replaced(struct sidecar *c)
{
    struct entry *e;
    log_line("the store '%s' was deleted or replaced; what is recorded goes "
             "into the one that is there now",
             c->store_path);
    keep_end(&c->keep);
    TAILQ_FOREACH(e, &c->entries.list[ENTRY_LIVE], of_list)
    {
        entry_close(e);
        e->is_stored = false;
    }
    c->has_commits = false;
    store_abandon(c->store);
    c->store = NULL;
    if (c->upload) {
        (void)upload_finish(c->upload, 0);
        c->upload = NULL;
        (void)round_uploads_start(c);
    }
    return 1;
}

/* Returns items done, so 0 means idle. */
static int entry_poll(struct sidecar *c, struct entry *e, int64_t now_ns)
{
    if (!e->session)
        return entry_open(c, e, now_ns);
    lane_assert(c->store != NULL && e->session->store == c->store);
    if (now_ns < e->retry_at_ns)
        return 0;
    bool was_refused = e->session->is_refused;
    int rc = session_poll(e->session, now_ns);
    if (rc >= 0) {
        if (rc > 0 || (was_refused && !e->session->is_refused))
            trouble_over(c); /* with nothing to write, too */
        e->refusals = rc > 0 ? 0 : e->refusals;
        if (rc > 0 || finish_is_waiting(e->session))
            e->busy_at_ns = now_ns;
        c->has_commits |= rc > 0;
        if (e->session->is_ended) {
            c->has_commits = e->is_stored = true; /* in the store, all of it */
            entry_close(e);
            return 1;
        }
        return rc;
    }
    if (rc == -EALREADY)
        return rival_met(c, e, now_ns);
    if (e->session->is_refused && store_is_there(c->store))
        return store_is_busy(c, e, now_ns);
    if (rc == -ESTALE || !store_is_there(c->store))
        return store_replaced(c);
    return entry_failed(c, e, rc, now_ns);
}

/* What `run` says of commands that nobody traced. */
static void commands_look(struct sidecar *c)
{
    if (!c->entries.has_commands || round_now() < c->commands_at_ns ||
        round_store_ready(c) != 0)
        return;
    c->commands_at_ns = round_now() + ROUND_SCAN_NS;
    c->entries.has_commands = command_take(c->store, c->dir_fd) != 0;
    c->has_commits = true;
}

void round_hurry(struct sidecar *c)
{
    struct entry *e;
    if (c->entries.count[ENTRY_LIVE] > HURRIED_MAX)
        return;
    TAILQ_FOREACH(e, &c->entries.list[ENTRY_LIVE], of_list)
    if (e->session)
        e->session->slow_at_ns = 0;
    c->entries.scan_at_ns = c->commands_at_ns = 0;
}

int round_of_all(struct sidecar *c)
{
    int done = 0;
    struct entry *e, *next;
    entries_scan(&c->entries, c->dir_fd, round_now(), false);
    commands_look(c);
    entries_take_backlog(&c->entries, round_now());
    for (e = TAILQ_FIRST(&c->entries.list[ENTRY_LIVE]); e && !*c->stop;
         e = next) {
        next = TAILQ_NEXT(e, of_list);
        done += entry_poll(c, e, round_now());
    }
    settle(c);
    return done;
}
