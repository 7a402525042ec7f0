/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiled types in DIR/types-UID: one file for a manifest and a program, named
 * after both, that the preload reads before the manifest. Its head says of
 * which builds of which objects it speaks; docs/preload.md describes it.
 */
#pragma once
#include "tools/cli/program/manifest_file.h"
#include "tools/cli/program/objects.h"
#include "tools/common/text/buf.h"

struct types_cache {
    char *text; /* NULL: none */
    struct manifest_types types;
    char path[PATHS_MAX];
};
/* Where the types of this manifest and program are to be. False: the path is
 * too long, or the program cannot be looked at. */
bool types_cache_path(const char *dir, uint64_t manifest_hash,
                      const struct object *program, char *out,
                      size_t cap_bytes);
/* Read it, if it is there and all that it speaks of is as it was. */
bool types_cache_read(struct types_cache *c, uint64_t hash_all);
void types_cache_free(struct types_cache *c);
/* The head of a file. `has_debug`: one for each object; the others are noted
 * as looked at. */
void types_cache_head(struct buf *out, uint64_t hash_all, size_t unanswered,
                      const struct objects *objects, const bool *has_debug);
/* Was it made with all these objects in view, is none of those that had no
 * debug information different now, and did it leave so many questions open? */
bool types_cache_covers(const struct types_cache *c,
                        const struct objects *objects, size_t unanswered);
/* Write it whole or not at all, and keep the folder small: of more than
 * `files_max` the oldest go. */
int types_cache_write(const char *path, const void *text, size_t len_bytes,
                      size_t files_max) __attribute__((warn_unused_result));
