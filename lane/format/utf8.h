/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Foreign bytes as valid UTF-8: NUL is dropped (no store takes it), each byte
 * that belongs to no well-formed sequence (Unicode 15, table 3-7: no
 * surrogates, nothing overlong, nothing above U+10FFFF) becomes U+FFFD.
 */
#pragma once
#include <stddef.h>

enum {
    UTF8_GROWTH = 3, /* U+FFFD takes three bytes */
};

/* Length of the well-formed sequence at `at`, 0 if there is none. */
size_t utf8_sequence(const unsigned char *at, size_t len_bytes);
/*
 * Clean `len_bytes` bytes into `out` (room for cap_bytes, always
 * NUL-terminated, never cut within a sequence). Returns the length. *bad (may
 * be NULL): bytes that were replaced or dropped.
 */
size_t utf8_clean(const void *bytes, size_t len_bytes, char *out,
                  size_t cap_bytes, size_t *bad);
