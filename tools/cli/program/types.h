/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A manifest with what the debug information adds to it: parsed, asked for
 * what is missing, parsed again, until nothing new is found.
 */
#pragma once
#include "tools/cli/program/types_cache.h"

struct types {
    struct manifest_file file; /* parsed with the text below */
    struct buf text;           /* head and C */
    struct manifest_types source;
    char *remarks;     /* lines: what the debug information cannot say */
    size_t unanswered; /* wants without an answer */
};
/* 0 also where the manifest has errors, or no object debug information;
 * -errno and a sentence when nothing could be parsed. `compares`: see struct
 * manifest_host. */
int types_compile(const char *manifest, const struct objects *objects,
                  bool compares, struct types *out, char *why, size_t why_bytes)
    __attribute__((warn_unused_result));
void types_free(struct types *t);

/*
 * The manifest as it will be understood in this program: with the types that
 * DIR has for the two, or such as are made and kept there now. `objects`: more
 * of them, that it loads later. NULL `program`: it is not known, no types.
 * Only the parsed file is the result; as manifest_file_load otherwise.
 */
struct types_request {
    const char *dir, *manifest, *program;
    char *const *objects;
    size_t object_count;
};
int types_load_manifest(const struct types_request *request,
                        struct manifest_file *out, char *why, size_t why_bytes)
    __attribute__((warn_unused_result));
