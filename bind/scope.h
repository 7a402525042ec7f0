/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects, and which of them a declaration is about: object("..."), and where
 * it has none every object but libc, the loader and handspan's own. Pure.
 */
#pragma once
#include "manifest/manifest.h"
#include "shim/plan/image/image.h"

enum bind_kind {
    BIND_PLAIN,
    BIND_MAIN,   /* the executable */
    BIND_LIBC,   /* libc and its satellites */
    BIND_LOADER, /* ld.so, the vDSO */
    BIND_OWN,    /* handspan's preload and what it brings along */
};
/* One object, as the process or a file has it. */
struct bind_object {
    enum bind_kind kind;
    const char *path; /* never NULL */
    const struct plan_image *image;
};

/* By its path alone: never BIND_MAIN. */
enum bind_kind bind_kind_of(const char *path);
/* The part behind the last slash. */
const char *bind_basename(const char *path);
/* Does a declaration with this scope cover it? Never one of handspan's own. */
bool bind_in_scope(const struct bind_object *object,
                   const struct manifest_object *scope);
