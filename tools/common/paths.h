/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where things are: the session directory, the store, the preload. Shared by
 * the sidecar and the views so that both look in the same place; the preload
 * resolves the directory by the same rules (docs/lane.md).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    PATHS_MAX = 4096,
    PATHS_ROOM_MIN = 4 << 20 /* bytes; with less, starting is not worth it */
};

/*
 * The session directory: `override` if not NULL, else the setting `dir`, else
 * the default that lane/writer/place.h chooses. Absolute; not created, but
 * where somebody else holds the default name. 0, -ENAMETOOLONG, or -errno:
 * there is none to be had (`out` is empty).
 */
int paths_dir(const char *override, char *out, size_t cap_bytes)
    __attribute__((warn_unused_result));

/*
 * The same, made if it is missing (0700) and judged by the rules of
 * lane/writer/place.h. Its descriptor (close-on-exec; the caller's), or -errno.
 * A sentence for people in `why`: on failure the reason; else empty, or that
 * another name was taken because somebody holds the usual one.
 */
int paths_take_dir(const char *override, char *out, size_t cap_bytes, char *why,
                   size_t why_bytes) __attribute__((warn_unused_result));

/* Judge an existing directory without making one. 0 (also if it is missing),
 * or -errno and a sentence in `why`. */
int paths_judge_dir(const char *override, char *why, size_t why_bytes)
    __attribute__((warn_unused_result));

/* Bytes that are free where `dir` is; -errno. */
int64_t paths_room_bytes(const char *dir);

/*
 * The store: `override`, else the setting `store`, else handspan/handspan.db in
 * $XDG_DATA_HOME or ~/.local/share (~ from $HOME, else the password file),
 * where these are ours or root's, else `dir`/handspan.db. Absolute; not
 * created. -ENOENT: the last, and `dir` is empty.
 */
int paths_store(const char *override, const char *dir, char *out,
                size_t cap_bytes) __attribute__((warn_unused_result));

/* The same, with the directory of `dir_option` as paths_dir() has it; for those
 * who need the store alone. */
int paths_store_of(const char *dir_option, const char *store_option, char *out,
                   size_t cap_bytes) __attribute__((warn_unused_result));

/* Something is there that cannot be a store: a device, a folder, a pipe. SQLite
 * would open it, and leave a journal beside it. */
bool paths_is_no_file(const char *path);

/* Create the folders above a file (0700). 0 or -errno. */
int paths_make_parents(const char *file) __attribute__((warn_unused_result));

/*
 * libhandspan.so: $HANDSPAN_PRELOAD, else beside this binary:
 * ../lib/handspan/ (installed) or ../lib/ (build tree). -ENOENT if nowhere.
 */
int paths_preload(char *out, size_t cap_bytes)
    __attribute__((warn_unused_result));

/* Is the file, which nobody named, as much to be trusted as this binary is?
 * (lane_place_is_ours) */
bool paths_is_ours(const char *file);

/* This very binary. */
int paths_self(char *out, size_t cap_bytes) __attribute__((warn_unused_result));

/* `path` made absolute by the working directory; the file need not exist. */
int paths_absolute(const char *path, char *out, size_t cap_bytes)
    __attribute__((warn_unused_result));
