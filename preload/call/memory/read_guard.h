/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies that survive a page that is not there: each load that may fault has
 * a place where our SIGSEGV and SIGBUS entry makes it go on instead
 * (read_fix_fault()). Without the entry a fault kills, as it would any copy.
 *
 * General registers only, no stack, no errno. [any thread, signal-safe]
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define READ_HIDDEN __attribute__((visibility("hidden")))

/* Bytes copied from the start on: n, or less if the rest is not there. Small
 * copies go by words: `rep movsb` takes longer to start than they take. */
READ_HIDDEN size_t read_guarded_copy(void *dst, const void *src, size_t n);

enum read_end {
    READ_FULL,    /* n bytes, no NUL among them */
    READ_NUL,     /* a NUL follows them */
    READ_FAULTED, /* what follows is not there */
};
struct read_part {
    size_t len;
    uint64_t end; /* enum read_end */
};
/* Copy up to the first NUL, at most n bytes; reads nothing behind src + n,
 * writes nothing behind dst + n, but anything in between. */
READ_HIDDEN struct read_part read_guarded_text(void *dst, const void *src,
                                               size_t n);
