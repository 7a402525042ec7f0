/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the full symbols of a stripped object may be: its debug file, by build
 * id or by the name in .gnu_debuglink, as gdb looks for it; last, what the file
 * itself has packed. Pure: who opens files is told their names.
 */
#pragma once
#include "shim/plan/image/image.h"

enum {
    BIND_DEBUG_PATHS = 4 /* places to look at, from 0 */
};
/* The name of place `number` for the object at `path` (absolute) whose file
 * names `link` (NULL: it names none) into out, terminated. False: there is no
 * such place, or it does not fit. */
bool bind_debug_path(unsigned number, const char *path,
                     const struct plan_image *image, const char *link,
                     char *out, size_t cap_bytes);
/* Where the tools keep what they unpacked of .gnu_debugdata (MiniDebugInfo) for
 * the processes of this user: DIR/symbols-UID/BUILD-ID. False: the object has
 * no build id, or it does not fit. */
bool bind_unpacked_path(const char *dir, uint32_t uid,
                        const struct plan_image *image, char *out,
                        size_t cap_bytes);
