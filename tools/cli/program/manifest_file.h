/* SPDX-License-Identifier: Apache-2.0 */
/* A manifest file, parsed, with its messages kept. */
#pragma once
#include "manifest/manifest.h"
#include "tools/common/paths.h"
#include <stdbool.h>
#include <stdio.h>

struct manifest_file {
    const struct manifest *manifest; /* NULL: unreadable */
    char path[PATHS_MAX];
    struct manifest_message *messages; /* in the order of the source */
    size_t message_count;
    void *arena;
    char **sources; /* texts that the manifest points into */
    size_t source_count;
    uint64_t hash, hash_all; /* of its text; with those that it includes */
};
struct manifest_message {
    enum manifest_severity severity;
    char *file, *text, *shown; /* shown: with position and caret */
    unsigned line, column;
};

/* How to parse it beside the plain way; all of it may be 0. */
struct manifest_file_options {
    const struct manifest_types *types;
    void (*want)(void *context, const struct manifest_want *want);
    void *context;
    bool compares;
};
/* As manifest_file_load; the texts of `types` must outlive the result. */
int manifest_file_load_with(const char *path,
                            const struct manifest_file_options *options,
                            struct manifest_file *out, char *why,
                            size_t why_bytes)
    __attribute__((warn_unused_result));
/* Read and parse. 0 also with errors in the file (manifest->error_count);
 * -errno and a sentence in `why` when nothing could be parsed. */
int manifest_file_load(const char *path, struct manifest_file *out, char *why,
                       size_t why_bytes) __attribute__((warn_unused_result));
/* The path of a manifest that comes with handspan, by its name: sqlite3 or
 * sqlite3.manifest. False: there is none. */
bool manifest_file_shipped(const char *name, char *path, size_t cap_bytes);
/* The folder of all those. 0 or -errno. */
int manifest_file_folder(char *path, size_t cap_bytes)
    __attribute__((warn_unused_result));
/* Errors and warnings, and with `all` also what is only noted. */
void manifest_file_print(const struct manifest_file *f, FILE *out, bool all);
void manifest_file_free(struct manifest_file *f);
