/* SPDX-License-Identifier: Apache-2.0 */
/* FNV-1a, 64 bits. Names of files and ids of error groups are made of it: its
 * values must stay. The preload has the same for the names of files. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_BEGIN UINT64_C(0xcbf29ce484222325)

static inline uint64_t hash_bytes(uint64_t hash, const void *bytes,
                                  size_t len_bytes)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len_bytes; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* One text of several: its end counts. */
static inline uint64_t hash_text(uint64_t hash, const char *text)
{
    static const unsigned char end = 0xff; /* in no UTF-8 */
    return hash_bytes(hash_bytes(hash, text, strlen(text)), &end, 1);
}
