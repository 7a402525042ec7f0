/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where things are: the session directory, the store, the preload. Shared by
 * the sidecar and the views so that both look in the same place; the preload
 * resolves the directory by the same rules (docs/lane.md).
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    PATHS_MAX = 4096,
    PATHS_ROOM_MIN = 4 << 20 /* bytes; with less, starting is not worth it */
};

/*
 * The session directory: `override` if not NULL, else the setting `dir`, else
 * $XDG_RUNTIME_DIR/handspan, /dev/shm/handspan-UID, /tmp/handspan-UID: the
 * first whose parent is a directory one can write to. Absolute; not created.
 * 0, -ENAMETOOLONG, -ENOENT.
 */
int paths_dir(const char *override, char *out, size_t cap_bytes)
    __attribute__((warn_unused_result));

/*
 * Create the session directory if it is missing (0700) and check it: ours (or
 * group-owned with the setgid bit, 2770), no symlink, writable. On failure a
 * sentence for people in `why`. 0 or -errno.
 */
int paths_make_dir(const char *dir, char *why, size_t why_bytes)
    __attribute__((warn_unused_result));

/* Bytes that are free where `dir` is; -errno. */
int64_t paths_room_bytes(const char *dir);

/*
 * The store: `override`, else the setting `store`, else handspan/handspan.db in
 * $XDG_DATA_HOME or ~/.local/share (~ from $HOME, else the password file),
 * else `dir`/handspan.db. Absolute; not created.
 */
int paths_store(const char *override, const char *dir, char *out,
                size_t cap_bytes) __attribute__((warn_unused_result));

/* Create the folders above a file (0700). 0 or -errno. */
int paths_make_parents(const char *file) __attribute__((warn_unused_result));

/*
 * libhandspan.so: $HANDSPAN_PRELOAD, else beside this binary:
 * ../lib/handspan/ (installed) or ../lib/ (build tree). -ENOENT if nowhere.
 */
int paths_preload(char *out, size_t cap_bytes)
    __attribute__((warn_unused_result));

/* This very binary. */
int paths_self(char *out, size_t cap_bytes) __attribute__((warn_unused_result));

/* `path` made absolute by the working directory; the file need not exist. */
int paths_absolute(const char *path, char *out, size_t cap_bytes)
    __attribute__((warn_unused_result));
