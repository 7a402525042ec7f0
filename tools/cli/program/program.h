/* SPDX-License-Identifier: Apache-2.0 */
/* The program that a person named: where it is, and whether a preload reaches
 * it. */
#pragma once
#include "tools/common/paths.h"

enum program_kind {
    PROGRAM_NATIVE,  /* a preload of ours reaches it */
    PROGRAM_SCRIPT,  /* its interpreter is what runs */
    PROGRAM_STATIC,  /* no loader, no preload */
    PROGRAM_FOREIGN, /* another machine, word size or libc */
    PROGRAM_SETUID,  /* the loader ignores preloads */
    PROGRAM_LIBRARY, /* no program: others load it */
    PROGRAM_OTHER,   /* nothing that we know */
};
struct program {
    char path[PATHS_MAX];
    enum program_kind kind;
    char interpreter[PATHS_MAX]; /* of a script */
    /* PROGRAM_NATIVE: empty. Else why it cannot be traced, and what can. */
    char why[PATHS_MAX + 512];
};

/* Look `name` up as execvp() does. 0, -ENOENT,
 * -EACCES (there, but not executable), -EISDIR. */
int program_find(const char *name, struct program *out)
    __attribute__((warn_unused_result));
/* The same for who only reads it: a library need not be executable. */
int program_find_file(const char *name, struct program *out)
    __attribute__((warn_unused_result));
/* `ld-linux-x86-64.so.2 [OPTION...] PROGRAM ...`: the operand of argv that is
 * the program; NULL: `p` is not that loader, or there is none. */
const char *program_of_loader(const struct program *p, char **argv);
/* Look into the file and fill in kind and why. */
void program_classify(struct program *p);
