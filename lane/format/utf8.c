/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign bytes as valid UTF-8: see utf8.h. */
#include "lane/format/utf8.h"
#include "lane/format/assert.h"
#include <string.h>

size_t utf8_sequence(const unsigned char *at, size_t len_bytes)
{
    if (len_bytes == 0)
        return 0;
    unsigned char c = at[0];
    if (c < 0x80)
        return 1;
    size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || len > len_bytes)
        return 0;
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

size_t utf8_clean(const void *bytes, size_t len_bytes, char *out,
                  size_t cap_bytes, size_t *bad)
{
    const unsigned char *at = bytes;
    size_t i = 0, n = 0, wrong = 0;
    while (i < len_bytes) {
        size_t len = utf8_sequence(at + i, len_bytes - i);
        lane_assert(len <= len_bytes - i);
        const void *from = at + i;
        size_t put = len;
        if (len == 0) {
            from = "\xef\xbf\xbd";
            put = 3;
            wrong++;
        } else if (at[i] == 0) {
            put = 0;
            wrong++;
        }
        if (n + put >= cap_bytes)
            break;
        memcpy(out + n, from, put);
        lane_assert(n + put < cap_bytes && put <= 4);
        n += put;
        i += len ? len : 1;
    }
    if (cap_bytes)
        out[n] = 0;
    if (bad)
        *bad = wrong;
    return n;
}
