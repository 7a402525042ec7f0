/* SPDX-License-Identifier: Apache-2.0 */
/* See entries.h. */
#define _GNU_SOURCE
#include "tools/sidecar/entries.h"
#include "lane/format/store_name.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "tools/common/text/hash.h"
#include "tools/sidecar/command.h"
#include "tools/sidecar/session/session.h"
#include "tools/sidecar/session/setup.h"
#include "lane/format/assert.h"

enum {
    LEFT_S = 2,
    BUCKETS = 1024,          /* at first; doubled as it fills */
    BACKLOG_MAX = 32,        /* sessions of the dead, at a time */
    BACKLOG_NS = 2000000000, /* one that is quiet longer waits for somebody */
    CERTIFICATE_S = 60,
    SCAN_NS = 20000000,
    SCAN_PART = 10,           /* of the time at most a tenth is spent on it */
    UNCHANGED_NS = 200000000, /* times of files go by ticks */
};
static const int64_t scan_most_ns = 5000000000;

int entries_init(struct entries *entries)
{
    *entries = (struct entries){.buckets = BUCKETS};
    for (int i = 0; i < ENTRY_LISTS; i++)
        TAILQ_INIT(&entries->list[i]);
    entries->bucket = calloc(BUCKETS, sizeof *entries->bucket);
    return entries->bucket ? 0 : -ENOMEM;
}

static struct entry **bucket_of(const struct entries *entries, const char *name)
{
    lane_assert(entries->buckets != 0 && entries->bucket != NULL);
    uint64_t hash = hash_bytes(HASH_BEGIN, name, strlen(name));
    return &entries->bucket[hash % entries->buckets];
}

static struct entry *find(const struct entries *entries, const char *name)
{
    struct entry *e = *bucket_of(entries, name);
    while (e && strcmp(e->name, name) != 0)
        e = e->next_of_bucket;
    return e;
}

static void bucket_add(struct entries *entries, struct entry *e)
{
    lane_assert(e->name != NULL);
    struct entry **first = bucket_of(entries, e->name);
    e->next_of_bucket = *first;
    *first = e;
}

/* That there is no memory for more only makes it slower. */
static void grow(struct entries *entries)
{
    uint32_t all = 0;
    for (int i = 0; i < ENTRY_LISTS; i++)
        all += entries->count[i];
    struct entry **more = all > entries->buckets
                              ? calloc(entries->buckets * 2, sizeof *more)
                              : NULL;
    if (!more)
        return;
    free(entries->bucket);
    entries->bucket = more;
    lane_assert(entries->buckets <= UINT32_MAX / 2);
    entries->buckets *= 2;
    struct entry *e;
    for (int i = 0; i < ENTRY_LISTS; i++)
        TAILQ_FOREACH(e, &entries->list[i], of_list)
    bucket_add(entries, e);
}

static void add(struct entries *entries, const char *name, int64_t now_ns)
{
    lane_assert(strncmp(name, "session-", 8) == 0);
    struct entry *e = calloc(1, sizeof *e);
    if (!e || !(e->name = strdup(name))) {
        free(e);
        return; /* the next scan sees it again */
    }
    e->seen_at_ns = now_ns;
    e->scan = entries->scan;
    e->list = setup_maker_lives(name) ? ENTRY_LIVE : ENTRY_BACKLOG;
    TAILQ_INSERT_TAIL(&entries->list[e->list], e, of_list);
    entries->count[e->list]++;
    bucket_add(entries, e);
    grow(entries);
}

void entries_move(struct entries *entries, struct entry *entry,
                  enum entry_list to)
{
    lane_assert(entry->list < ENTRY_LISTS && to < ENTRY_LISTS);
    lane_assert(entries->count[entry->list] != 0);
    TAILQ_REMOVE(&entries->list[entry->list], entry, of_list);
    entries->count[entry->list]--;
    entry->list = to;
    TAILQ_INSERT_TAIL(&entries->list[to], entry, of_list);
    entries->count[to]++;
}

void entries_forget(struct entries *entries, struct entry *entry)
{
    lane_assert(entries->count[entry->list] != 0);
    struct entry **at = bucket_of(entries, entry->name);
    while (*at != entry)
        at = &(*at)->next_of_bucket;
    lane_assert(*at == entry);
    *at = entry->next_of_bucket;
    TAILQ_REMOVE(&entries->list[entry->list], entry, of_list);
    entries->count[entry->list]--;
    session_close(entry->session);
    free(entry->name);
    free(entry);
}

void entries_free(struct entries *entries)
{
    struct entry *e;
    for (int i = 0; i < ENTRY_LISTS && entries->bucket; i++)
        while ((e = TAILQ_FIRST(&entries->list[i])))
            entries_forget(entries, e);
    free(entries->bucket);
    entries->bucket = NULL;
}

void entries_take_backlog(struct entries *entries, int64_t now_ns)
{
    int open = 0;
    struct entry *e;
    TAILQ_FOREACH(e, &entries->list[ENTRY_LIVE], of_list)
    {
        bool is_at_work =
            e->session
                ? !e->session->has_writer && now_ns - e->busy_at_ns < BACKLOG_NS
                : !e->is_stored && now_ns >= e->retry_at_ns;
        open += is_at_work;
    }
    while (open++ < BACKLOG_MAX &&
           (e = TAILQ_FIRST(&entries->list[ENTRY_BACKLOG])))
        entries_move(entries, e, ENTRY_LIVE);
}

/* ---- the directory ------------------------------------------------------- */

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A certificate that nobody took: its session was closed before it came. */
static void certificate_look(int dir_fd, const char *name)
{
    lane_assert(strncmp(name, "reaped-", 7) == 0);
    struct stat at;
    if (fstatat(dir_fd, name, &at, AT_SYMLINK_NOFOLLOW) == 0 &&
        time(NULL) - at.st_mtime > CERTIFICATE_S)
        (void)unlinkat(dir_fd, name, 0);
}

/* Nothing came or went since the last scan, as far as its time tells. */
static bool is_unchanged(struct entries *entries, int dir_fd)
{
    struct stat at;
    if (fstat(dir_fd, &at) != 0)
        return false;
    int64_t modified =
        (int64_t)at.st_mtim.tv_sec * 1000000000 + at.st_mtim.tv_nsec;
    int64_t now = clock_ns(CLOCK_REALTIME);
    bool is_same = at.st_mtim.tv_sec == entries->modified.tv_sec &&
                   at.st_mtim.tv_nsec == entries->modified.tv_nsec &&
                   entries->scanned_at_ns - modified > UNCHANGED_NS &&
                   now >= entries->scanned_at_ns &&
                   now - entries->scanned_at_ns < scan_most_ns;
    if (!is_same) {
        entries->modified = at.st_mtim;
        entries->scanned_at_ns = now;
    }
    return is_same;
}

/* Others have sidecars of their own. */
static bool is_ours(struct entries *entries, int dir_fd, const char *name)
{
    lane_assert(strncmp(name, "session-", 8) == 0);
    struct stat at;
    uint64_t key = lane_store_key_of(name);
    if (key == 0)
        return entries->takes_unnamed;
    if (key == entries->key)
        return true;
    if (!entries->takes_left || !setup_maker_is_dead(name) ||
        fstatat(dir_fd, name, &at, AT_SYMLINK_NOFOLLOW) != 0 ||
        setup_is_served(entries->takes_left, key))
        return false;
    /* its own sidecar may be about to start */
    bool is_young = time(NULL) - at.st_mtime < LEFT_S;
    entries->has_young |= is_young;
    return !is_young;
}

static void look_through(struct entries *entries, int dir_fd, DIR *dir,
                         int64_t now_ns)
{
    for (struct dirent *e; (e = readdir(dir));) {
        if (strncmp(e->d_name, "reaped-", 7) == 0)
            certificate_look(dir_fd, e->d_name);
        if (strncmp(e->d_name, COMMAND_PREFIX, strlen(COMMAND_PREFIX)) == 0)
            entries->has_commands = true;
        if (strncmp(e->d_name, "session-", 8) != 0 ||
            strlen(e->d_name) >= SESSION_NAME_MAX ||
            !is_ours(entries, dir_fd, e->d_name))
            continue;
        struct entry *known = find(entries, e->d_name);
        if (known)
            known->scan = entries->scan;
        else
            add(entries, e->d_name, now_ns);
    }
}

static void forget_gone(struct entries *entries)
{
    struct entry *e, *next;
    for (int i = 0; i < ENTRY_LISTS; i++)
        for (e = TAILQ_FIRST(&entries->list[i]); e; e = next) {
            next = TAILQ_NEXT(e, of_list);
            if (e->scan != entries->scan && !e->session)
                entries_forget(entries, e);
        }
}

void entries_scan(struct entries *entries, int dir_fd, int64_t now_ns,
                  bool force)
{
    lane_assert(dir_fd >= 0 && entries->bucket != NULL);
    if (!force && now_ns < entries->scan_at_ns)
        return;
    entries->scan_at_ns = now_ns + SCAN_NS;
    if (is_unchanged(entries, dir_fd) && !force && !entries->has_young)
        return;
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    entries->scan++;
    entries->has_young = false;
    look_through(entries, dir_fd, dir, now_ns);
    closedir(dir);
    forget_gone(entries);
    int64_t took = clock_ns(CLOCK_MONOTONIC) - now_ns;
    if (took > 0 && took * SCAN_PART > SCAN_NS)
        entries->scan_at_ns = now_ns + took * (SCAN_PART + 1);
}

bool entries_any_open(const struct entries *entries)
{
    const struct entry *e;
    TAILQ_FOREACH(e, &entries->list[ENTRY_LIVE], of_list)
    if (e->session)
        return true;
    return false;
}

bool entries_any_waiting(const struct entries *entries)
{
    return entries->count[ENTRY_LIVE] || entries->count[ENTRY_BACKLOG] ||
           entries->has_young;
}
