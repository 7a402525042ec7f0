/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the manifests that come with handspan are about a program: those
 * that name a function of one of the objects that it starts with. libc does not
 * count, every program has it.
 */
#pragma once
#include "tools/common/paths.h"
#include "tools/common/text/buf.h"

struct shipped {
    size_t count;
    char first[PATHS_MAX];  /* the path of the first one */
    struct buf names, text; /* "sqlite3, zlib"; a manifest that includes them */
    struct buf others;      /* about it, but they say "By name only" of
                               themselves: what they cost is to be wanted */
};
/* Decided from the files alone, nothing is run. None for a program that cannot
 * be read. To be freed in any case. */
void shipped_find(const char *program, struct shipped *out);
/* The path of a manifest with all of them (count > 0): the one that there is,
 * or a file below `dir`, whose name is that of its text. 0 or -errno. */
int shipped_path(const struct shipped *s, const char *dir, char *path,
                 size_t cap_bytes) __attribute__((warn_unused_result));
void shipped_free(struct shipped *s);
