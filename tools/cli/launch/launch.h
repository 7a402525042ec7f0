/* SPDX-License-Identifier: Apache-2.0 */
/* What a process needs to be traced: manifest, preload, directory, store; for
 * `run`, which sets it, and `env`, which prints it. */
#pragma once
#include "tools/cli/program/manifest_file.h"
#include "tools/cli/program/shipped.h"
#include "tools/common/paths.h"
#include <stdbool.h>

struct launch {
    char manifest[PATHS_MAX]; /* absolute; empty: none */
    char preload[PATHS_MAX];
    char dir[PATHS_MAX];
    char store[PATHS_MAX];
    bool is_ready;     /* false: something above is missing, run untraced */
    int problems;      /* told on stderr; with --strict the end */
    bool is_store_bad; /* told already; sessions wait in the directory */
    bool is_broken;    /* the manifest has errors */
    struct manifest_file file; /* when there is a manifest that was read */
    struct shipped shipped;    /* those that apply without one; maybe none */
};
struct launch_options {
    const char *manifest, *dir, *store;
    const char *program; /* path of what will run; NULL: not known */
};

/* Resolve all of it (without a manifest those apply that come with handspan and
 * are about the program), create directory and the store's folders, check the
 * manifest; every problem is told on stderr with a way out. */
void launch_prepare(const struct launch_options *options, struct launch *out);
void launch_free(struct launch *l);
/* Is a program of this basename in the manifest's scope? Without manifest each
 * one is. */
bool launch_covers(const struct launch *l, const char *basename);
/* Where no manifest was given: say which of those that come with handspan apply
 * and how to write one, on stderr. */
void launch_print_unnamed(const struct launch *l);
/* Put it into the environment of this process; of what no preload will run in
 * the time of its exec is not told. 0 or -ENOMEM. */
int launch_set_environment(const struct launch *l, bool has_preload)
    __attribute__((warn_unused_result));
/* LD_PRELOAD with ours in front of what is there already. */
void launch_preload_value(const struct launch *l, char *out, size_t cap_bytes);
