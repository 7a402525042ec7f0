/* SPDX-License-Identifier: Apache-2.0 */
/* See wal.h. */
#include "tools/store/wal.h"
#include <sqlite3.h>
#include <stddef.h>
#include <time.h>

enum {
    PAGES = 4096,        /* 16 MiB */
    PAGES_LONG = 16384,  /* 64 MiB */
    PAGES_MOST = 131072, /* 512 MiB */
    AGAIN_NS = 1000000000,
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void copy_back(struct wal *wal)
{
    int all = 0, copied = 0;
    if (sqlite3_wal_checkpoint_v2(wal->db, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                  &all, &copied) != SQLITE_OK)
        copied = -1; /* another one is at it */
    wal->is_pinned = copied < all;
    wal->next_pages = (wal->is_pinned ? wal->pages : 0) + PAGES;
    wal->tried_at_ns = now_ns();
}

/* After a commit, without its lock. That the log cannot be copied back now is
 * no failure of the commit. */
static int on_commit(void *context, sqlite3 *db, const char *name, int pages)
{
    struct wal *wal = context;
    (void)db, (void)name;
    if (pages < wal->pages) { /* it was begun anew */
        wal->next_pages = PAGES;
        wal->is_pinned = false;
    }
    wal->pages = pages;
    if (pages >= wal->next_pages ||
        (wal->is_pinned && now_ns() - wal->tried_at_ns > AGAIN_NS))
        copy_back(wal);
    return SQLITE_OK;
}

bool wal_is_long(const struct wal *wal)
{
    return wal->is_pinned && wal->pages >= PAGES_LONG;
}

bool wal_is_full(struct wal *wal)
{
    if (wal->pages < PAGES_MOST)
        return false;
    if (now_ns() - wal->tried_at_ns > AGAIN_NS)
        copy_back(wal);
    return wal->is_pinned;
}

void wal_begin(struct wal *wal, sqlite3 *db)
{
    *wal = (struct wal){.db = db, .next_pages = PAGES};
    (void)sqlite3_exec(db, "PRAGMA journal_size_limit = 16777216", NULL, NULL,
                       NULL);
    sqlite3_wal_hook(db, on_commit, wal);
}
