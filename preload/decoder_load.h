/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a self-contained library without the loader.
 */
#pragma once
#include "shim/plan/image.h"
#include "preload/runtime.h"

/* Map and relocate the library at `path`. What it imports must be among a
 * handful of libc's plainest functions. 0, and `image` is a mapped image of it
 * that stays; or -errno, and nothing stays. */
HIDDEN int decoder_load(const char *path, struct plan_image *image)
    __attribute__((warn_unused_result));
