/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a self-contained library without the loader.
 */
#pragma once
#include "shim/plan/image/image.h"
#include "preload/call/record/runtime.h"

/* Map and relocate the library at `path`. What it imports must be among a
 * handful of libc's plainest functions. 0, and `image` is a mapped image of it
 * that stays; or -errno, and nothing stays. */
HIDDEN int decoder_load(const char *path, struct plan_image *image)
    __attribute__((warn_unused_result));

/* The same; it may have one thread-local variable, which stands (for who looks
 * it up by the library's relocations) `thread_local` bytes from the thread
 * pointer. */
HIDDEN int decoder_load_symbol(const char *path, int64_t thread_local,
                               struct plan_image *image)
    __attribute__((warn_unused_result));
