/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory where sessions lie: found, made and judged. A traced process
 * and the tools do it by this code alone, so they agree.
 *
 * A directory that the user named (HANDSPAN_DIR, --dir, the settings) counts
 *   - if it is ours and 0700, or
 *   - if it is exactly 2770, a group's, and belongs to us or to root; of
 *     somebody else only for a user other than root that the group has, where
 *     not everybody could have made it.
 * One that we chose counts only if it is ours, 0700, of the file system that
 * its parent is of (nothing is mounted over it), and if nobody else can take
 * it away: the parent belongs to the system or to us, and is sticky if others
 * may write there. Where somebody else holds the name, another one is taken:
 * NAME.<16 random hex digits>, the least that is there already and ours.
 *
 * No malloc, no stdio, no lock; errno is not kept. [target, at start] [tools]
 */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct lane_place {
    char path[PATH_MAX];    /* absolute; empty: none */
    int fd;                 /* the directory, close-on-exec; -1: not made yet */
    uint32_t file_mode;     /* of what lies there: 0600; shared: 0660 */
    char refused[PATH_MAX]; /* the first default name that is not to be had */
    int refused_err;        /* ... and why; 0: there is none */
};

/* The one that the user named. `make`: if it is missing. 0 or -errno, for
 * lane_place_why(). */
int lane_place_named(const char *path, uint32_t uid, bool make,
                     struct lane_place *out)
    __attribute__((warn_unused_result));

/* The one that we choose: RUNTIME_DIR/handspan (NULL: none such),
 * /dev/shm/handspan-UID, /tmp/handspan-UID, in each case only if it can be had.
 * `make` false: what is missing stays so (fd -1), but for the other name.
 * 0 or the last -errno: nowhere. */
int lane_place_default(const char *runtime_dir, uint32_t uid, bool make,
                       struct lane_place *out)
    __attribute__((warn_unused_result));

/* A clause that goes behind "PATH is refused:". Static text. */
const char *lane_place_why(int err);

/* Could anybody at all have written this file, so that it must not be read as
 * instructions (a manifest, code)? That is so where everybody may write it, or
 * may write its folder and it belongs neither to us nor to root. `fd`: the open
 * file; `path`: as it was opened. What is no regular file is left to the
 * caller. */
bool lane_place_is_anybodys(int fd, const char *path, uint32_t uid);
#define LANE_PLACE_ANYBODYS                                                    \
    "could have been written by anybody (chmod o-w; a file of yours or "       \
    "root's, where all may write)"

/* A file that nobody named but we look for (beside ourselves, in the working
 * directory): may it be read or run? It, the link that leads to it and its
 * folder belong to us, to root or to `maker` (who owns what looks for it: no
 * more is trusted than that), nobody else may write it, and nobody else can
 * put another in its place. */
bool lane_place_is_ours(const char *path, uint32_t uid, uint32_t maker);
/* Who owns the file at `path`; root if that cannot be told. */
uint32_t lane_place_owner(const char *path);
