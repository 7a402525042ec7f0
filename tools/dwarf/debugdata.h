/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MiniDebugInfo: the symbol table of static functions that distributions pack
 * into a stripped object (.gnu_debugdata), an ELF file compressed with xz. This
 * folder owns liblzma; nothing of it runs in a traced process.
 */
#pragma once
#include <stddef.h>

/* Unpack `len_bytes` of the section: *out is malloc's, to be freed. -EINVAL: no
 * xz, or damaged. -EFBIG: more than 256 MiB. -ENOMEM. */
int debugdata_unpack(const void *packed, size_t len_bytes, void **out,
                     size_t *out_len_bytes) __attribute__((warn_unused_result));
