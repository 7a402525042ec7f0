/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the debug information adds to the manifest, as handspan compiled it
 * before: a file in DIR/types-UID that is found by the manifest's text and the
 * program's build. No debug information is read in this process.
 */
#pragma once
#include "preload/settings/config.h"

struct types_file {
    struct manifest_types types; /* len_bytes 0: none */
    void *at;                    /* to be unmapped */
    size_t len;
};
/* [constructor] */
HIDDEN void types_load(const char *manifest, size_t len_bytes,
                       struct types_file *out);
HIDDEN void types_unload(struct types_file *file);
