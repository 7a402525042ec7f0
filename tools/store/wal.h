/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's write-ahead log: copied back each 16 MiB, cut to that size once
 * it is. A reader that stays open keeps it from being used anew, so it grows
 * meanwhile. Each try goes through all of it, so it is then tried again when it
 * grew by as much, or after a second.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct sqlite3;

struct wal {
    struct sqlite3 *db;
    int64_t pages;       /* in the log, at the last commit */
    int64_t next_pages;  /* copied back when so many are in it */
    int64_t tried_at_ns; /* on the monotonic clock */
    bool is_pinned;      /* a reader kept the last copying from its end */
};

/* For a connection that writes: before its first write; must not move while
 * the connection is open. */
void wal_begin(struct wal *wal, struct sqlite3 *db);
/* A reader keeps it, and it is so large that commits had better be few. */
bool wal_is_long(const struct wal *wal);
/* So large that nothing more may be added until the reader is gone: tries to
 * copy it back first, so a while after that it is not any more. */
bool wal_is_full(struct wal *wal);
