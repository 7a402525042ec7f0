/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bring a store up to date: the migrations of sql/sqlite/, each in one
 * transaction with its new user_version. Whoever comes first does it, the
 * sidecar or a view.
 */
#pragma once
#include <stddef.h>

struct sqlite3;

/* user_version of a database. 0 or an SQLite code. */
int migrate_version(struct sqlite3 *db, int *version)
    __attribute__((warn_unused_result));

/*
 * `path` is for messages. 0, or -errno with a sentence in `why`:
 * -EPROTONOSUPPORT made by a later version (nothing is touched), -EROFS,
 * -EBUSY, -ENOSPC, -EIO.
 */
int migrate_store(struct sqlite3 *db, const char *path, char *why,
                  size_t why_bytes) __attribute__((warn_unused_result));

/* A code of SQLite as -errno; 0 for those of success. */
int migrate_errno(int code);
