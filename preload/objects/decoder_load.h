/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a self-contained library without the loader.
 */
#pragma once
#include "shim/plan/image/image.h"
#include "preload/call/record/runtime.h"
#include <elf.h>

/* Map and relocate the library at `path`. What it imports must be among a
 * handful of libc's plainest functions. 0, and `image` is a mapped image of it
 * that stays; or -errno, and nothing stays. */
HIDDEN int decoder_load(const char *path, struct plan_image *image)
    __attribute__((warn_unused_result));

/* The same in two steps: mapped from its file (later there may be no way to it,
 * in another root), and made ready to be called. What decoder_map() returned 0
 * for is given to decoder_finish() once. */
enum {
    DECODER_PHDRS_MAX = 16
};
struct decoder_mapped {
    int fd; /* while it is mapped */
    uint64_t file_bytes;
    Elf64_Phdr phdr[DECODER_PHDRS_MAX];
    unsigned phdr_count;
    uint64_t base, span;
    int64_t thread_local; /* where its variable is; 0: it has none */
};
HIDDEN int decoder_map(const char *path, struct decoder_mapped *out)
    __attribute__((warn_unused_result));
HIDDEN int decoder_finish(const struct decoder_mapped *mapped,
                          struct plan_image *image)
    __attribute__((warn_unused_result));

/* The same; it may have one thread-local variable, which stands (for who looks
 * it up by the library's relocations) `thread_local` bytes from the thread
 * pointer. */
HIDDEN int decoder_load_symbol(const char *path, int64_t thread_local,
                               struct plan_image *image)
    __attribute__((warn_unused_result));
