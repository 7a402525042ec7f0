/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session files of the directory, as far as the sidecar knows them. Each is
 * in one list: those that are looked at in each round; those of dead programs,
 * which come in some at a time; those that are left alone. So a round costs
 * what is at work, and not what lies there: a hundred thousand files may.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>

struct session;
struct setup_claim;

enum entry_list {
    ENTRY_LIVE,    /* open, or to be opened now */
    ENTRY_BACKLOG, /* its maker is dead: nobody waits for it */
    ENTRY_ALONE,   /* left alone: the log says why */
    ENTRY_LISTS,
};
struct entry {
    char *name;
    struct session *session; /* NULL: not open */
    bool has_rival;          /* said already */
    int refusals;            /* by the store, in a row */
    bool is_stored;          /* all of it, in a transaction that is committed */
    enum entry_list list;
    uint32_t scan; /* the last one that saw it */
    int64_t seen_at_ns, retry_at_ns, busy_at_ns;
    TAILQ_ENTRY(entry) of_list;
    struct entry *next_of_bucket;
};
TAILQ_HEAD(entry_head, entry);
struct entries {
    struct entry_head list[ENTRY_LISTS];
    uint32_t count[ENTRY_LISTS];
    /* Which are taken in: those that name the store of this key (0: none), and
     * those that name no store. */
    uint64_t key;
    bool takes_unnamed;
    /* And of dead programs what names another store that no sidecar serves, as
     * far as that is known by this: somebody typed --store. NULL: not. */
    const struct setup_claim *takes_left;
    bool has_young; /* of these some are too young yet */
    struct entry **bucket;
    uint32_t buckets, scan;
    int64_t scan_at_ns, scanned_at_ns; /* scanned: on the wall clock */
    bool has_commands; /* certificates of commands lie there: command.h */
    struct timespec modified; /* the directory, at the last scan */
};

/* No session yet. 0 or -ENOMEM. */
int entries_init(struct entries *entries);
/* Their sessions are closed. */
void entries_free(struct entries *entries);
/* Look through the directory, if it is time and something can have changed:
 * new files are live or backlog by their makers, those that are gone and not
 * open are forgotten. `force`: in any case. */
void entries_scan(struct entries *entries, int dir_fd, int64_t now_ns,
                  bool force);
/* A thousand sessions that were left behind come in some at a time; those of
 * programs that run never wait for them. */
void entries_take_backlog(struct entries *entries, int64_t now_ns);
void entries_move(struct entries *entries, struct entry *entry,
                  enum entry_list to);
void entries_forget(struct entries *entries, struct entry *entry);
/* Is the session of one of them open? */
bool entries_any_open(const struct entries *entries);
/* Is there anything to do? */
bool entries_any_waiting(const struct entries *entries);
