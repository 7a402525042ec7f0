/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was found out about an object and is kept for the processes to come, in
 * DIR/branches-UID/: who branches where in it (branches.h), how functions of
 * it are patched (preload/bind/plans.h), where names are (names_kept.h).
 *
 * A kept file is believed where it is ours alone, whole, written by this very
 * build of ours, and for this very file of the object (build id, segments,
 * size, times, inode). One is written for an object that was mapped as its file
 * has it. [constructor, loader's notification]
 */
#pragma once
#include "preload/objects/modules.h"

enum kept_what {
    KEPT_BRANCHES = 1,
    KEPT_PLANS,
    KEPT_NAMES,
};
struct kept_build {
    uint8_t id[PLAN_BUILD_ID_MAX];
    uint64_t len;
};
/* Of which object, and by whom: compared as bytes. */
struct kept_identity {
    uint64_t magic;
    struct kept_build writer, object;
    uint64_t size, mtime_s, mtime_ns, ctime_s, ctime_ns, inode;
    uint64_t segments; /* a sum of them */
    uint64_t what;
    uint64_t extra[2]; /* what else it depends on */
};

/* Of the object and the file that its path leads to; false: nothing of it can
 * be kept. */
HIDDEN bool kept_identify(const struct module *module, const struct stat *st,
                          enum kept_what what, struct kept_identity *out);
/* The same of the file that is there now. */
HIDDEN bool kept_identify_path(const struct module *module, enum kept_what what,
                               struct kept_identity *out);
/* A copy of what is kept, words in memory of its own (bytes of it in
 * *mapped_bytes, to be unmapped by the caller); NULL: nothing is. */
HIDDEN uint64_t *kept_load(const struct kept_identity *of, uint64_t *words,
                           size_t *mapped_bytes);
/* Keep `words`. Where that cannot be done nothing is kept. */
HIDDEN void kept_store(const struct kept_identity *of, const uint64_t *at,
                       uint64_t words);
/* The same, if `of` is still what the object was mapped from, as it is. */
HIDDEN void kept_store_mapped(struct module *module,
                              const struct kept_identity *of,
                              const uint64_t *at, uint64_t words);
