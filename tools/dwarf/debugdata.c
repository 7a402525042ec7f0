/* SPDX-License-Identifier: Apache-2.0 */
/* See debugdata.h. */
#include "tools/dwarf/debugdata.h"
#include <errno.h>
#include <lzma.h>
#include <stdlib.h>

enum {
    FIRST_BYTES = 1 << 20,
    UNPACKED_MAX_BYTES = 256 << 20,
    MEMORY_MAX_BYTES = 128 << 20, /* of the decoder: xz -9 wants 65 MiB */
};

static int grow(lzma_stream *s, void **out, size_t *cap)
{
    size_t more = *cap ? *cap * 2 : FIRST_BYTES;
    if (more > UNPACKED_MAX_BYTES)
        return -EFBIG;
    void *grown = realloc(*out, more);
    if (!grown)
        return -ENOMEM;
    s->next_out = (uint8_t *)grown + *cap;
    s->avail_out = more - *cap;
    *out = grown;
    *cap = more;
    return 0;
}

static int unpack(lzma_stream *s, void **out)
{
    size_t cap = 0;
    lzma_ret code = LZMA_OK;
    int err = 0;
    while (!err && code == LZMA_OK) {
        if (s->avail_out == 0)
            err = grow(s, out, &cap);
        if (!err)
            code = lzma_code(s, LZMA_FINISH);
    }
    return err                       ? err
           : code == LZMA_STREAM_END ? 0
           : code == LZMA_MEM_ERROR  ? -ENOMEM
                                     : -EINVAL;
}

int debugdata_unpack(const void *packed, size_t len_bytes, void **out,
                     size_t *out_len_bytes)
{
    lzma_stream s = LZMA_STREAM_INIT;
    *out = NULL;
    if (lzma_stream_decoder(&s, MEMORY_MAX_BYTES, 0) != LZMA_OK)
        return -ENOMEM;
    s.next_in = packed;
    s.avail_in = len_bytes;
    int err = unpack(&s, out);
    *out_len_bytes = (size_t)s.total_out;
    lzma_end(&s);
    if (err) {
        free(*out);
        *out = NULL;
    }
    return err;
}
